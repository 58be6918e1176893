/** Alice at two windows, Bob with two devices of another author: all see all, once and in order, and each is told so. */
import assert from 'node:assert/strict';
import { program } from './others-programs.mjs';
import { phone, scenario, sleep, until } from './stage.mjs';

const devices = ['phone', 'tablet'];

await scenario(async (stage) => {
  const [bob, first] = await Promise.all([program(stage, 'others_bob'), stage.person('alice')]);
  await first.signIn(stage.password);
  await first.addContact('bob');
  await until('they are contacts', async () => (await first.thread('bob').getByText('Online').count()) > 0);
  const second = await stage.person('alice', { size: phone });
  await second.signIn(stage.password);
  await second.goTo('bob');
  for (const device of devices) await bob.wish('knows', { device, count: 2 });

  const opened = (device, text, from) =>
    bob.told(
      `${device} opens "${text}"`,
      (news) => news.opened === text && news.device === device && news.from === from,
    );

  const fromAlice = async (window, other, text) => {
    await window.send(text);
    await Promise.all(devices.map((device) => opened(device, text, 'alice@localhost')));
    await other.message(text, ['delivered']);
    await window.message(text, ['delivered']);
  };
  const fromBob = async (device, other, text) => {
    const id = await bob.wish('send', { device, text });
    await Promise.all([first.message(text), second.message(text)]);
    await opened(other, text, 'bob@localhost');
    await bob.told(`a receipt for "${text}"`, (news) => news.receipt === id && news.by === 'alice@localhost');
  };
  await fromAlice(first, second, 'from the first window');
  await fromBob('phone', 'tablet', 'from the phone');
  await fromAlice(second, first, 'from the second window');
  await fromBob('tablet', 'phone', 'from the tablet');
  await fromAlice(first, second, 'once more: ü, 한국어, 🗝️');
  await fromBob('tablet', 'phone', 'two lines,\nand <an/> &amp; more');

  // Whatever comes twice has come by now.
  await sleep(500);
  const order = [
    'from the first window',
    'from the phone',
    'from the second window',
    'from the tablet',
    'once more: ü, 한국어, 🗝️',
    'two lines,\nand <an/> &amp; more',
  ];
  for (const window of [first, second]) {
    const seen = (await window.bubbles()).filter(({ text }) => order.includes(text));
    assert.deepEqual(
      seen.map(({ text }) => text),
      order,
    );
    assert.deepEqual(
      seen.map(({ isOwn }) => isOwn),
      [true, false, true, false, true, false],
    );
  }
  const sent = { phone: ['from the phone'], tablet: ['from the tablet', order.at(-1)] };
  for (const device of devices) {
    const texts = bob.news.filter((news) => news.opened && news.device === device).map((news) => news.opened);
    const wanted = order.filter((text) => !sent[device].includes(text));
    assert.deepEqual(texts, wanted, device);
  }
  const clear = stage.stored().filter(({ bytes }) => order.some((text) => bytes.includes(text)));
  assert.deepEqual(
    clear.map(({ path }) => path),
    [],
    'the server has stored a text in clear',
  );
});
