import type { Recording } from '../model';

/** What a recorder tells while it records. */
export interface RecorderEvents {
  /** About 25 times a second: loudness from 0 to 1, and what has been recorded (ms). */
  onLevel(loudness: number, recordedMs: number): void;
  /** The system has the microphone for a while, for a phone call say: the recording may go on later. */
  onSuspended(): void;
  /** The microphone was unplugged or taken for good, or the encoder broke. What was recorded stays. */
  onInterrupted(): void;
}

/** One recording under way. Made by an opener with the microphone open and nothing recorded yet. */
export interface Recorder {
  begin(): void;
  pause(): void;
  resume(): void;
  /** What was recorded so far, playable (Ogg Opus). Only while paused. */
  snapshot(): Promise<Recording>;
  /**
   * Ends the recording and closes the microphone.
   *
   * @throws RecorderFailure after `unpacked` it may be called again
   */
  finish(): Promise<Recording>;
  /** Closes the microphone and forgets everything. Allowed at any time, more than once. */
  discard(): void;
}
