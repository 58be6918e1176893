/** Alice at the web app, Bob at profanity: contacts, and sealed text both ways. */
import assert from 'node:assert/strict';
import { program } from './others-programs.mjs';
import { scenario, until } from './stage.mjs';

const words = ['sealed in the browser', 'sealed in the terminal', 'and back', 'and forth'];

await scenario(async (stage) => {
  const [bob, alice] = await Promise.all([program(stage, 'others_profanity'), stage.person('alice')]);
  await alice.signIn(stage.password);
  await alice.addContact('bob');
  await bob.wish('shows', { text: 'alice@localhost' });
  await bob.wish('befriend');
  await until('they are contacts', async () => (await alice.thread('bob').getByText('Online').count()) > 0);

  await alice.send(words[0]);
  await bob.wish('open');
  await bob.wish('shows', { text: words[0] });
  await alice.message(words[0], ['delivered']);
  await bob.wish('type', { line: '/omemo start alice@localhost' });
  await bob.wish('type', { line: words[1] });
  await alice.message(words[1]);
  await alice.send(words[2]);
  await bob.wish('shows', { text: words[2] });
  await bob.wish('type', { line: words[3] });
  await alice.message(words[3]);

  const seen = (await alice.bubbles()).filter(({ text }) => words.includes(text));
  assert.deepEqual(
    seen.map(({ text, isOwn }) => ({ text, isOwn })),
    words.map((text, index) => ({ text, isOwn: index % 2 === 0 })),
  );
  const stored = stage.stored();
  const clear = stored.filter(({ bytes }) => words.slice(0, 2).some((text) => bytes.includes(text)));
  assert.deepEqual(
    clear.map(({ path }) => path),
    [],
    'the server has stored a text in clear',
  );
  assert.ok(
    stored.some(({ bytes }) => bytes.includes('axolotl')),
    'the sealed messages are stored',
  );
});
