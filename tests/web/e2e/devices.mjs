/** A second window of Alice with keys of its own: from then on all see all, and everybody learns of it. */
import assert from 'node:assert/strict';
import { phone, scenario, sleep, until } from './stage.mjs';

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send('before the second device');
  await bob.message('before the second device');
  await alice.message('before the second device', ['read']);

  const second = await stage.person('alice', { size: phone });
  await second.signIn(stage.password);
  await second.row('bob').waitFor();
  await second.goTo('bob');
  await until('bob is told', async () =>
    (await bob.notes()).some((note) => note.startsWith('alice added a new device')),
  );
  await until('alice is told', async () =>
    (await alice.notes()).some((note) => note.startsWith('You signed in on a new device')),
  );
  // What was sealed before this device had keys is said to be so; nothing is made up.
  await until('history is honest', async () => (await second.bubbles()).length > 0);
  const [old] = await second.bubbles();
  assert.equal(old.text, 'This message was sealed for your other devices, before this one was there.');

  await bob.send('to both of you');
  await Promise.all([alice.message('to both of you'), second.message('to both of you')]);
  await alice.send('from the first');
  await Promise.all([second.message('from the first'), bob.message('from the first')]);
  await second.send('from the second');
  await Promise.all([alice.message('from the second'), bob.message('from the second')]);
  await Promise.all([
    alice.message('from the second', ['read']),
    second.message('from the first', ['read']),
    second.message('from the second', ['read']),
  ]);

  // What is read on one is read on the other.
  await Promise.all([alice.goToList(), second.goToList()]);
  await bob.send('one more');
  await Promise.all([alice, second].map((window) => window.row('bob').getByText('1 unread message').waitFor()));
  await second.row('bob').click();
  await until('the first window knows', async () => (await alice.row('bob').getByText('unread message').count()) === 0);
  await bob.message('one more', ['read']);

  await sleep(300);
  const order = ['to both of you', 'from the first', 'from the second', 'one more'];
  await alice.goTo('bob');
  for (const person of [alice, second, bob]) {
    const seen = (await person.bubbles()).map(({ text }) => text).filter((text) => order.includes(text));
    assert.deepEqual(seen, order, person.name);
  }
});
