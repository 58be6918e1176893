/**
 * Errors:
 *   RecorderFailure — the microphone or the encoder cannot be used; `code` says why
 */
import type { Recording } from '../model';

export type RecorderErrorCode = 'denied' | 'no-microphone' | 'busy' | 'unsupported' | 'failed';

export class RecorderFailure extends Error {
  constructor(
    readonly code: RecorderErrorCode,
    options?: ErrorOptions,
  ) {
    super(code, options);
    this.name = 'RecorderFailure';
  }
}

/** What a recorder tells while it records. */
export interface RecorderEvents {
  /** About 25 times a second: loudness from 0 to 1, and what has been recorded (ms). */
  onLevel(loudness: number, recordedMs: number): void;
  /** The microphone was unplugged or taken by the system. What was recorded stays. */
  onInterrupted(): void;
}

/** One recording under way. Made by `openRecorder` with the microphone open and nothing recorded yet. */
export interface Recorder {
  begin(): void;
  pause(): void;
  resume(): void;
  /** What was recorded so far, playable (Ogg Opus). Only while paused. */
  snapshot(): Promise<Recording>;
  /** Ends the recording and closes the microphone. @throws RecorderFailure */
  finish(): Promise<Recording>;
  /** Closes the microphone and forgets everything. Allowed at any time, more than once. */
  discard(): void;
}

/**
 * Asks for the microphone (the browser asks the person the first time) and opens the best recorder there is:
 * WebCodecs in a worker, else MediaRecorder remuxed to Ogg.
 *
 * @throws RecorderFailure
 */
export async function openRecorder(events: RecorderEvents): Promise<Recorder> {
  const stream = await openMicrophone();
  try {
    const { openWebCodecsRecorder } = await import('./webcodecs-recorder');
    const recorder = await openWebCodecsRecorder(stream, events);
    if (recorder) return recorder;
    const { openMediaRecorder } = await import('./media-recorder');
    return await openMediaRecorder(stream, events);
  } catch (error) {
    closeMicrophone(stream);
    if (error instanceof RecorderFailure) throw error;
    throw new RecorderFailure('failed', { cause: error });
  }
}

/** Stops the microphone's tracks, so that the browser's indicator goes out. */
export function closeMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

async function openMicrophone(): Promise<MediaStream> {
  // Undefined outside secure contexts, whatever the type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) throw new RecorderFailure('unsupported');
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new RecorderFailure(microphoneErrorOf(error), { cause: error });
  }
}

/** Media Capture and Streams §10.3: what each exception of getUserMedia means for the person. */
function microphoneErrorOf(error: unknown): RecorderErrorCode {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}
