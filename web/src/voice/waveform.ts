/** How many bars a voice message's wave has. */
export const barCount = 44;

/** Silence and full level of the perceptual scale, in dBFS: speech rarely leaves this range. */
const quietDb = -52;
const loudestDb = -3;

/**
 * Root mean square of samples (mono, −1 to 1) over windows of equal length; the last may be shorter.
 *
 * @param windowSize samples per window
 */
export function rmsOf(samples: Float32Array, windowSize: number): number[] {
  const levels: number[] = [];
  for (let start = 0; start < samples.length; start += windowSize) {
    levels.push(rms(samples.subarray(start, start + windowSize)));
  }
  return levels;
}

/** Root mean square of one run of samples; 0 for none. */
export function rms(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

/** Loudness from 0 to 1 as the ear orders it, for an RMS from 0 to 1. */
export function loudnessOf(level: number): number {
  if (level <= 0) return 0;
  return clamp((20 * Math.log10(level) - quietDb) / (loudestDb - quietDb));
}

/**
 * The bars of a wave: `count` loudnesses from 0 to 1, each from the energy of an equal part of the recording.
 * The loudest part stands near the top, so that a quiet speaker's wave has a shape too.
 *
 * @param levels RMS of short windows, oldest first
 */
export function barsOf(levels: readonly number[], count: number = barCount): number[] {
  if (levels.length === 0) return new Array(count).fill(0);
  const loudness = Array.from({ length: count }, (_, index) => loudnessOf(partRms(levels, index, count)));
  const peak = Math.max(...loudness);
  if (peak === 0) return loudness;
  // Room noise stays flat: what lies far below the peak is pressed down, what lies near it stands apart.
  return loudness.map((value) => round((value / peak) ** 2.2 * Math.min(1, peak * 1.25)));
}

/** RMS of one of `count` equal parts, the windows at its edges weighed by how much of them belongs to it. */
function partRms(levels: readonly number[], index: number, count: number): number {
  const from = (index * levels.length) / count;
  const to = ((index + 1) * levels.length) / count;
  let energy = 0;
  for (let window = Math.floor(from); window < Math.min(Math.ceil(to), levels.length); window += 1) {
    const share = Math.min(to, window + 1) - Math.max(from, window);
    energy += share * (levels[window] ?? 0) ** 2;
  }
  return Math.sqrt(energy / (to - from));
}

/** Enough for loudness of speech, and a sixth of the memory of the original rate. */
const analysisRate = 8000;

/**
 * Duration (ms) and wave of an audio file in any container the browser decodes.
 *
 * @throws DOMException `EncodingError` when the browser cannot decode it
 */
export async function waveformOf(blob: Blob): Promise<{ durationMs: number; waveform: number[] }> {
  const context = new OfflineAudioContext(1, 1, analysisRate);
  const audio = await context.decodeAudioData(await blob.arrayBuffer());
  const levels = rmsOf(audio.getChannelData(0), Math.round(audio.sampleRate / 50));
  return { durationMs: Math.round(audio.duration * 1000), waveform: barsOf(levels) };
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Three digits are finer than a pixel and keep the stored message small. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
