/** Two people meet, write to each other, and see how far each message is. The server cannot read a word. */
import assert from 'node:assert/strict';
import { scenario, until } from './stage.mjs';

const hello = 'Hello Bob, the umbrella is in the cupboard';
const answer = 'Thank you Alice, I shall fetch it at noon';

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await alice.goTo('bob');

  await alice.send(hello);
  // Bob has the list in front of him: delivered, not read.
  await alice.message(hello, ['delivered']);
  await bob.row('alice').getByText('1 unread message').waitFor();
  await bob.row('alice').getByText(hello).waitFor();
  assert.match(await bob.page.getByRole('link', { name: /^Chats/u }).textContent(), /1 unread message/u);

  await alice.field.pressSequentially('And');
  await bob.row('alice').getByText('typing…').waitFor();
  await alice.field.fill('');
  await bob.row('alice').getByText(hello).waitFor();

  await bob.row('alice').click();
  await bob.message(hello);
  await alice.message(hello, ['read']);
  await bob.send(answer);
  await alice.message(answer);
  await bob.message(answer, ['read']);

  await bob.goToList();
  assert.equal(await bob.row('alice').getByText('unread').count(), 0);
  await alice.page.getByRole('button', { name: 'Sealed: who can read this' }).click();
  await alice.page.getByRole('dialog').getByText('Only you and bob can read this').waitFor();

  const files = stage.stored();
  assert.ok(
    files.some(({ bytes }) => bytes.includes('alice@localhost')),
    'this is where the server keeps its data',
  );
  for (const words of [hello, answer]) {
    const found = files.filter(({ bytes }) => bytes.includes(words)).map(({ path }) => path);
    assert.deepEqual(found, [], `the server has stored "${words}" in clear`);
  }
  await until('the sealed messages are stored', () => stage.stored().some(({ bytes }) => bytes.includes('axolotl')));
});
