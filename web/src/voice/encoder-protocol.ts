/** What the page and the encoding worker say to each other. */
import type { RecorderErrorCode } from './recorder-failure';

/** The encoder takes mono Opus at this rate only, so does the capture. */
export const sampleRate = 48_000;
export const bitrate = 24_000;
/** 20 ms: one Opus frame, and one level. */
export const frameSize = 960;

export type Container = 'ogg' | 'mp4';

export type ToWorker =
  /** The samples arrive on `port` as Float32Array chunks. */
  | { readonly kind: 'open'; readonly port: MessagePort }
  | { readonly kind: 'run'; readonly isRunning: boolean }
  /** Pack what was encoded so far. */
  | { readonly kind: 'pack'; readonly id: number }
  /** Put a file's Opus stream into another container. */
  | { readonly kind: 'repack'; readonly id: number; readonly blob: Blob; readonly container: Container };

export type FromWorker =
  | { readonly kind: 'opened'; readonly isSupported: boolean }
  | { readonly kind: 'level'; readonly loudness: number; readonly recordedMs: number }
  | {
      readonly kind: 'packed';
      readonly id: number;
      readonly bytes: ArrayBuffer;
      readonly durationMs: number;
      readonly waveform: number[];
    }
  | { readonly kind: 'failed'; readonly id: number | null; readonly code: RecorderErrorCode };
