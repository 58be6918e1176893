/** No line: what is written waits in sight, over a reload too, and is sent once and in order when the line is back. */
import assert from 'node:assert/strict';
import { scenario, sleep, until } from './stage.mjs';

const texts = (person) =>
  person.bubbles().then((bubbles) => bubbles.filter(({ text }) => text !== null).map(({ text }) => text));

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send('before');
  await bob.message('before');

  // The server is gone, not only the line. While it drains it answers with 503.
  alice.tolerated = bob.tolerated = /status of 503/u;
  await stage.server('stop');
  stage.line.down();
  await alice.page.getByText(/^(No connection|The server does not answer)\./u).waitFor();
  await alice.send('one');
  await alice.message('one', ['waiting']);
  await alice.page.getByText(/1 message will be sent when it is back\./u).waitFor();
  await alice.send('two');
  await alice.page.getByText(/2 messages will be sent when it is back\./u).waitFor();

  await alice.page.reload();
  await alice.message('two', ['waiting']);
  await alice.send('three');
  await alice.message('three', ['waiting']);
  await alice.page.getByText(/3 messages will be sent when it is back\./u).waitFor();
  assert.deepEqual(await texts(alice), ['before', 'one', 'two', 'three']);
  assert.deepEqual(await texts(bob), ['before']);

  await stage.server('start');
  alice.tolerated = bob.tolerated = null;
  stage.line.up();
  await Promise.all([alice.wake(), bob.wake()]);
  await alice.message('three', ['delivered', 'read']);
  await until('bob has all', async () => (await texts(bob)).length >= 4);
  await bob.send('four');
  await alice.message('four');
  await sleep(500);
  for (const person of [alice, bob]) {
    assert.deepEqual(await texts(person), ['before', 'one', 'two', 'three', 'four'], person.name);
  }
  assert.equal(await alice.page.getByText(/when it is back/u).count(), 0);
});
