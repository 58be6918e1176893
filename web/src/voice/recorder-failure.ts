/**
 * Errors:
 *   RecorderFailure — the microphone or the encoder cannot be used; `code` says why
 */

export type RecorderErrorCode =
  | 'denied'
  | 'no-microphone'
  | 'busy'
  | 'unsupported'
  | 'failed'
  /** What was said is there, but could not be made a file yet: it may be tried again. */
  | 'unpacked';

export class RecorderFailure extends Error {
  constructor(
    readonly code: RecorderErrorCode,
    options?: ErrorOptions,
  ) {
    super(code, options);
    this.name = 'RecorderFailure';
  }
}
