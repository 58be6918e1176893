/** Whether a voice message says what was spoken. */
import assert from 'node:assert/strict';
import { envelopeOf, likeness } from './speech.mjs';

/**
 * Checks that a decrypted file is Ogg Opus and says what was spoken rather than something else; returns the figures.
 *
 * @param person whose browser decodes it
 * @param file as of `playedFiles`
 * @param speech WAV file of what was spoken
 * @param other WAV file of something else
 */
export async function compareSpeech(person, file, speech, other, wantedSeconds) {
  assert.equal(file.bytes.subarray(0, 4).toString(), 'OggS');
  assert.equal(file.bytes.subarray(28, 36).toString(), 'OpusHead');
  const { envelope, seconds } = await person.envelope(file.bytes);
  const { correlation, lag } = likeness(envelopeOf(speech), envelope);
  assert.ok(correlation > 0.8, `it says something else: correlation ${correlation.toFixed(3)}`);
  const byChance = likeness(envelopeOf(other), envelope).correlation;
  assert.ok(byChance < correlation - 0.2, `another speech is as much alike: ${byChance.toFixed(3)}`);
  const share = seconds / wantedSeconds;
  assert.ok(share > 0.85 && share < 1.15, `${seconds} s were recorded, not ${wantedSeconds}`);
  return {
    correlation: round(correlation),
    byChance: round(byChance),
    lagSeconds: round(lag),
    seconds: round(seconds),
  };
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}
