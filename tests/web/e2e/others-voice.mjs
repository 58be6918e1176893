/** Voice messages to and from an app of another author: sealed files (XEP-0454) in Ogg Opus that plain tools play. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from './others-programs.mjs';
import { envelopeOf, likeness, secondsOf, speak } from './speech.mjs';
import { scenario, until } from './stage.mjs';

const alicesWords =
  'The parcel is at the gate. <break time="500ms"/> Please sign for it <break time="300ms"/> and bring it up.';
const bobsWords = 'I have it. <break time="600ms"/> It is heavy, <break time="400ms"/> leave the door open.';
const heldSeconds = 4.2;

/** What a plain player makes of an Ogg Opus file: its loudness over time; a fault of the file throws. */
function decoded(file) {
  const told = execFileSync('opusinfo', [file], { encoding: 'utf8' });
  assert.doesNotMatch(told, /WARNING|ERROR/u);
  const [, minutes, seconds] = /Playback length: (\d+)m:([\d.]+)s/u.exec(told);
  const wav = `${file}.wav`;
  execFileSync('opusdec', ['--quiet', '--rate', '48000', '--no-dither', file, wav]);
  return { envelope: envelopeOf(wav), seconds: Number(minutes) * 60 + Number(seconds) };
}

/** How alike a recording is to a speech; fails when another speech is about as much alike. */
function compare(envelope, speech, other) {
  const { correlation } = likeness(envelopeOf(speech), envelope);
  const byChance = likeness(envelopeOf(other), envelope).correlation;
  assert.ok(correlation > 0.8, `it says something else: correlation ${correlation.toFixed(3)}`);
  assert.ok(byChance < correlation - 0.2, `another speech is as much alike: ${byChance.toFixed(3)}`);
  return { correlation: Number(correlation.toFixed(3)), byChance: Number(byChance.toFixed(3)) };
}

async function toBob(stage, alice, bob, speech, other) {
  await alice.hold(heldSeconds * 1000);
  const isAddress = ({ opened }) => opened?.includes('aesgcm:');
  const { opened } = await bob.told('a file', isAddress);
  // Nothing else, and a name that players know: so apps tell a voice message from a text.
  assert.match(opened, /^aesgcm:\/\/[^\s#]+\.(?:ogg|oga|opus)#[0-9a-f]{88}$/u);
  await until('it is delivered', async () => (await alice.voices(1))[0].state === 'delivered');
  const file = join(stage.folder, 'to-bob.ogg');
  await bob.wish('fetch', { url: opened, file });
  const bytes = readFileSync(file);
  assert.equal(bytes.subarray(0, 4).toString(), 'OggS');
  assert.equal(bytes.subarray(28, 36).toString(), 'OpusHead');
  const { envelope, seconds } = decoded(file);
  const shown = (await alice.voices(1))[0].seconds;
  assert.ok(
    Math.abs(secondsOf(envelope) - seconds) < 0.1,
    `${secondsOf(envelope)} s of sound in a file of ${seconds} s`,
  );
  assert.ok(Math.abs(seconds - heldSeconds) < 0.15 * heldSeconds, `${seconds} s were recorded, not ${heldSeconds}`);
  assert.ok(Math.abs(seconds - shown) <= 1, `shown as ${shown} s, is ${seconds} s`);
  return { seconds, ...compare(envelope, speech, other) };
}

async function toAlice(stage, alice, bob, speech, other) {
  const file = join(stage.folder, 'to-alice.ogg');
  execFileSync('opusenc', ['--quiet', '--bitrate', '24', speech, file]);
  const { seconds } = decoded(file);
  const id = await bob.wish('share', { device: 'tablet', file, name: 'voice message.ogg' });
  const arrived = (await alice.voices(2)).at(-1);
  assert.ok(!arrived.isOwn && arrived.bars >= 40, `a wave of ${arrived.bars} bars`);
  assert.equal(arrived.seconds, Math.max(1, Math.floor(seconds)));
  await bob.told('a receipt', ({ receipt }) => receipt === id);

  const bubble = alice.page.locator(`[role="article"][data-id="${arrived.id}"]`);
  await bubble.getByRole('img', { name: 'Not heard yet' }).waitFor();
  await bubble.getByRole('button', { name: /^Play voice message/u }).click();
  await bubble.getByRole('button', { name: 'Pause' }).waitFor();
  const position = bubble.getByRole('slider', { name: 'Position in voice message' });
  await until('it plays on', async () => Number(await position.getAttribute('aria-valuenow')) >= 2);
  await bubble.getByRole('button', { name: /^Play voice message/u }).waitFor();
  assert.equal(await bubble.getByRole('img', { name: 'Not heard yet' }).count(), 0);

  const played = (await alice.playedFiles()).at(-1);
  assert.equal(played.type, 'audio/ogg');
  assert.ok(played.bytes.equals(readFileSync(file)), 'the file is another');
  return { seconds, ...compare((await alice.envelope(played.bytes)).envelope, speech, other) };
}

await scenario(async (stage) => {
  const [alices, bobs] = [speak(stage.folder, 'alice', alicesWords), speak(stage.folder, 'bob', bobsWords, 'en-us')];
  const [bob, alice] = await Promise.all([program(stage, 'others_bob'), stage.person('alice', { speech: alices })]);
  await alice.signIn(stage.password);
  await alice.addContact('bob');
  await until('they are contacts', async () => (await alice.thread('bob').getByText('Online').count()) > 0);
  stage.figures({
    toBob: await toBob(stage, alice, bob, alices, bobs),
    toAlice: await toAlice(stage, alice, bob, bobs, alices),
  });
});
