/** Spoken sentences, and how alike two recordings of one are. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Frames of an envelope in a second. */
const rate = 50;
/** What is below this amplitude (-40 dB) is silence. */
const quietest = 0.01;

/** Has a sentence spoken, into a WAV file of 48 kHz, mono, 16 bits. `<break time="500ms"/>` makes a pause. */
export function speak(folder, name, text, voice = 'en-gb') {
  const raw = join(folder, `${name}-raw.wav`);
  const file = join(folder, `${name}.wav`);
  execFileSync('espeak-ng', ['-m', '-v', voice, '-s', '150', '-w', raw, `<speak>${text}</speak>`]);
  execFileSync('sox', [raw, '-r', '48000', '-c', '1', '-b', '16', file, 'norm', '-3']);
  return file;
}

/** Loudness of a WAV file of `speak`, `rate` values a second. */
export function envelopeOf(file) {
  const bytes = readFileSync(file);
  const start = bytes.indexOf('data', 12, 'latin1') + 8;
  const samples = new Int16Array(
    bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length - ((bytes.length - start) % 2)),
  );
  const step = 48_000 / rate;
  const envelope = [];
  for (let from = 0; from + step <= samples.length; from += step) {
    let sum = 0;
    for (let index = from; index < from + step; index += 1) sum += (samples[index] / 32768) ** 2;
    envelope.push(Math.sqrt(sum / step));
  }
  return envelope;
}

export function secondsOf(envelope) {
  return envelope.length / rate;
}

/**
 * How alike a recording is to what was spoken: the best correlation of the envelopes over all shifts.
 *
 * @param spokenFrames all that was said
 * @param heardFrames a part of it, longer than a second
 * @returns `correlation` from -1 to 1; `lag` (seconds) of the recording's beginning behind that of the speech
 */
export function likeness(spokenFrames, heardFrames) {
  const [spoken, heard] = [decibelsOf(spokenFrames), decibelsOf(heardFrames)];
  let best = { correlation: -1, lag: 0 };
  for (let shift = -rate; shift <= spoken.length - rate; shift += 1) {
    const first = Math.max(0, -shift);
    const last = Math.min(heard.length, spoken.length - shift);
    // A short overlap is alike by chance.
    if (last - first < 0.7 * Math.min(heard.length, spoken.length)) continue;
    const correlation = pearson(spoken.slice(first + shift, last + shift), heard.slice(first, last));
    if (correlation > best.correlation) best = { correlation, lag: shift / rate };
  }
  return best;
}

/** Loudness as ears have it: the microphone's automatic gain then moves everything alike. */
function decibelsOf(frames) {
  const levels = frames.map((value) => 20 * Math.log10(Math.max(value, quietest)));
  return levels.map((_, index) => {
    const near = levels.slice(Math.max(0, index - 1), index + 2);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function pearson(a, b) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, ofA, ofB] = [0, 0, 0];
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] - meanA, b[index] - meanB];
    both += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return ofA === 0 || ofB === 0 ? 0 : both / Math.sqrt(ofA * ofB);
}
