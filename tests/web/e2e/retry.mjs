/** Voice messages that were refused: one is deleted after a reload, one sent again by a double click. It arrives once. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { speak } from './speech.mjs';
import { phone, scenario, until } from './stage.mjs';

await scenario(async (stage) => {
  const speech = speak(stage.folder, 'alice', 'This is larger than the server takes today.');
  const { alice, bob } = await stage.friends({ speech, size: phone });
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  const hasFailed = async () => (await alice.bubbles()).find(({ trouble }) => trouble);
  await alice.hold(1500);
  await until('it has failed', hasFailed);
  await alice.page.reload();
  await until('it still has', hasFailed);
  await alice.page.getByRole('button', { name: 'Delete' }).click();
  await alice.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await until('it is gone', async () => (await alice.bubbles()).length === 0);

  await alice.hold(2500);
  const failed = await until('it has failed', hasFailed);
  await alice.page.reload();
  await until('it still has', hasFailed);
  assert.equal((await alice.bubbles()).length, 1, 'what was deleted is back');
  assert.equal(failed.trouble, 'Not sent: this is larger than the server takes.');
  assert.deepEqual(await bob.bubbles(), []);

  // While it drains, the server answers with 503.
  alice.tolerated = bob.tolerated = /status of 503/u;
  await stage.server('stop');
  const settings = readFileSync(stage.config, 'utf8');
  writeFileSync(stage.config, settings.replace('max_size_bytes = 2048', 'max_size_bytes = 10000000'));
  await stage.server('start');
  await Promise.all([alice.wake(), bob.wake()]);
  await alice.message(null, ['not sent']);
  await until(
    'the line is back',
    async () => (await alice.page.getByText(/^(Connecting|No conn|The server)/u).count()) === 0,
  );
  alice.tolerated = bob.tolerated = null;

  await alice.page.getByRole('button', { name: 'Try again' }).evaluate((button) => {
    button.click();
    button.click();
  });
  await bob.voices(1);
  await until('it is delivered', async () => ['delivered', 'read'].includes((await alice.voices(1))[0].state));
  // A second one would be there before what is written now.
  await alice.send('did it arrive once?');
  await bob.message('did it arrive once?');
  assert.equal((await bob.voices(1)).length, 1);
  assert.deepEqual(
    (await alice.bubbles()).map(({ text }) => text),
    [null, 'did it arrive once?'],
  );
});
