/** A voice message on its way is reloaded away, then its tab is killed: the upload goes on where it was, and it arrives once. */
import assert from 'node:assert/strict';
import { speak } from './speech.mjs';
import { phone, scenario, sleep, until } from './stage.mjs';

const words =
  'This is a long message. It tells of a long corridor with many doors, <break time="300ms"/> and of a key for each.';

/** The requests that carried bytes of an upload on from where it had stopped. */
const resumed = (stage) => stage.line.requests.filter(({ method, offset }) => method === 'PATCH' && offset > 0);

await scenario(async (stage) => {
  const speech = speak(stage.folder, 'alice', words);
  const { alice, bob } = await stage.friends({ speech, size: phone });
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);

  stage.line.slow(5000);
  await alice.hold(8500);
  await until('the upload is under way', () => stage.line.requests.some(({ method }) => method === 'PATCH'));
  await sleep(2000);
  assert.notEqual((await alice.voices(1))[0].state, 'delivered');
  await alice.page.reload();
  await until('the upload goes on', () => resumed(stage).length > 0);
  stage.line.slow(Number.POSITIVE_INFINITY);
  const [voice] = await bob.voices(1);
  await until('it is delivered', async () => ['delivered', 'read'].includes((await alice.voices(1))[0].state));
  const { offset } = resumed(stage)[0];

  // The browser dies without a word, with a text and a recording in its outbox.
  stage.line.slow(3000);
  await alice.hold(6000);
  await until('the second upload is under way', async () => (await alice.bubbles()).length === 2);
  await alice.send('written meanwhile');
  await alice.message('written meanwhile');
  const { profile } = alice;
  await stage.kill(alice);
  stage.line.slow(Number.POSITIVE_INFINITY);
  const again = await stage.person('alice', { speech, size: phone, profile });
  await again.signedIn();
  await again.goTo('bob');
  await bob.message('written meanwhile');
  const both = await bob.voices(2);
  await again.message('written meanwhile', ['delivered', 'read']);
  await sleep(700);
  assert.equal((await bob.voices(2)).length, 2);
  const ofBob = (await bob.bubbles()).map(({ text }) => text);
  assert.equal(ofBob.length, 3, 'each is there once');
  assert.equal(ofBob[0], null);
  assert.ok(ofBob.includes('written meanwhile'), 'a text may overtake a recording that is being uploaded');
  await bob.page
    .getByRole('button', { name: /^Play voice message/u })
    .last()
    .click();
  const file = await until('it plays', async () => (await bob.playedFiles()).at(-1));
  assert.equal(file.bytes.subarray(0, 4).toString(), 'OggS');
  stage.figures({ resumedAtByte: offset, seconds: [voice.seconds, both[1].seconds] });
});
