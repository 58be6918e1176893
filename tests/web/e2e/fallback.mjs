/** A browser that cannot encode by itself records with MediaRecorder: what arrives is Ogg Opus and what was spoken. */
import assert from 'node:assert/strict';
import { speak } from './speech.mjs';
import { phone, scenario, until } from './stage.mjs';
import { compareSpeech } from './voices.mjs';

const words =
  'The delivery is at the gate. <break time="600ms"/> Twelve boxes, <break time="400ms"/> and one of them is open.';
const others = 'Nobody has said this. <break time="300ms"/> It is here <break time="800ms"/> to be compared with.';

await scenario(async (stage) => {
  const [speech, other] = [speak(stage.folder, 'alice', words), speak(stage.folder, 'nobody', others, 'en-us')];
  const { alice, bob } = await stage.friends({ speech, size: phone });
  const uses = await withoutEncoder(alice);
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);

  await alice.hold(4600);
  await bob.voices(1);
  await until('the upload is done', async () => ['delivered', 'read'].includes((await alice.voices(1))[0].state));
  await bob.page.getByRole('button', { name: /^Play voice message/u }).click();
  await until('it is heard', async () => (await alice.voices(1))[0].state === 'heard');
  const figures = await compareSpeech(bob, (await bob.playedFiles())[0], speech, other, 4.6);

  // Paused, it can be heard and go on; thrown away, the microphone is let go.
  await alice.microphone.click();
  const button = (name) => alice.page.getByRole('button', { name });
  const hasRecorded = (seconds) => async () => {
    const time = await alice.page.getByRole('timer').textContent();
    return Number(time.split(':').at(-1)) >= seconds;
  };
  await until('a second is recorded', hasRecorded(1));
  await button('Pause recording').click();
  await button('Listen to the recording').click();
  await button('Go on recording').click();
  await until('two seconds are recorded', hasRecorded(2));
  await button('Delete recording').click();
  await button('Undo').waitFor();
  await button('Undo').waitFor({ state: 'detached' });
  await until('the microphone is let go', async () => (await uses()).live === 0);
  assert.ok((await uses()).recorders >= 2, 'MediaRecorder was not used');
  stage.figures(figures);
});

/** Loads the page anew in a browser without an encoder; returns what tells how often MediaRecorder was used. */
async function withoutEncoder(person) {
  await person.page.addInitScript(() => {
    delete globalThis.AudioEncoder;
    const uses = { recorders: 0, tracks: [] };
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await open(wish);
      uses.tracks.push(...stream.getTracks());
      return stream;
    };
    globalThis.MediaRecorder = class extends MediaRecorder {
      constructor(...terms) {
        super(...terms);
        uses.recorders += 1;
      }
    };
    globalThis.recorderUses = () => ({
      recorders: uses.recorders,
      live: uses.tracks.filter(({ readyState }) => readyState === 'live').length,
    });
  });
  await person.page.reload();
  return () => person.page.evaluate(() => globalThis.recorderUses());
}
