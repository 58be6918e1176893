/** Voice messages both ways: what arrives is what was spoken, and nobody between the two could hear it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { speak } from './speech.mjs';
import { phone, scenario, sleep, until } from './stage.mjs';
import { compareSpeech } from './voices.mjs';

const alicesWords =
  'Hello Bob. <break time="600ms"/> The lift is out of order, <break time="400ms"/> please use the stairs.';
const bobsWords = 'Good to know. <break time="700ms"/> I am on my way <break time="300ms"/> with two heavy boxes.';

/** A plain reader of Ogg Opus finds nothing wrong with the file, where this machine has one. */
function readPlainly(folder, file) {
  const path = join(folder, 'message.ogg');
  writeFileSync(path, file.bytes);
  const { error, stdout, stderr } = spawnSync('opusinfo', [path], { encoding: 'utf8' });
  if (error?.code === 'ENOENT') return null;
  assert.match(stdout, /Playback length: /u);
  assert.doesNotMatch(stdout + stderr, /WARNING|ERROR/u);
  return /Average bitrate: (.*)$/mu.exec(stdout)?.[1] ?? 'read';
}

await scenario(async (stage) => {
  const [alicesSpeech, bobsSpeech] = [
    speak(stage.folder, 'alice', alicesWords),
    speak(stage.folder, 'bob', bobsWords, 'en-us'),
  ];
  const { alice, bob } = await stage.friends({ speech: alicesSpeech }, { size: phone, speech: bobsSpeech });
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send('One moment');
  await bob.message('One moment');

  const held = 4.6;
  const recording = alice.hold(held * 1000);
  await bob.thread('alice').getByText('recording a voice message…').waitFor();
  await recording;
  const [arrived] = await bob.voices(1);
  assert.ok(Math.abs(arrived.seconds - held) <= 1, `shown as ${arrived.seconds} s`);
  assert.ok(arrived.bars >= 40, `a wave of ${arrived.bars} bars`);
  await until('the upload is done and read', async () => (await alice.voices(1))[0].state === 'read');

  const stored = stage.stored();
  const clear = stored.filter(({ bytes }) => bytes.includes('OggS') || bytes.includes('OpusHead'));
  assert.deepEqual(
    clear.map(({ path }) => path),
    [],
    'the server has stored audio in clear',
  );

  const play = bob.page.getByRole('button', { name: /^Play voice message/u });
  await bob.page.getByRole('img', { name: 'Not heard yet' }).waitFor();
  await play.click();
  await bob.page.getByRole('button', { name: 'Pause' }).waitFor();
  await until('it is heard', async () => (await alice.voices(1))[0].state === 'heard');
  assert.equal(await bob.page.getByRole('img', { name: 'Not heard yet' }).count(), 0);
  const [file] = await bob.playedFiles();
  assert.equal(file.type, 'audio/ogg');
  const figures = {
    toBob: await compareSpeech(bob, file, alicesSpeech, bobsSpeech, held),
    opusinfo: readPlainly(stage.folder, file),
  };
  const sizes = stored.map(({ bytes }) => bytes.length);
  assert.ok(
    sizes.some((size) => size >= file.bytes.length && size <= file.bytes.length + 64),
    'the sealed file is there',
  );

  await bob.hold(3500);
  await alice.voices(2);
  await alice.page
    .getByRole('button', { name: /^Play voice message/u })
    .last()
    .click();
  await until('it is heard', async () => (await bob.voices(2))[1].state === 'heard');
  figures.toAlice = await compareSpeech(alice, (await alice.playedFiles()).at(-1), bobsSpeech, alicesSpeech, 3.5);
  await sleep(100);
  stage.figures(figures);
});
