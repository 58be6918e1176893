/**
 * What the microphone button does, as a table. A press opens the microphone; a quick release locks the recording
 * (hands-free), a long one sends it; sliding left throws it away, sliding up locks it. A locked recording can be
 * paused, heard, sent or deleted; a deleted one waits in the bin for a few seconds.
 */
export type Phase =
  | 'idle'
  /** The microphone is being opened, the finger is down. */
  | 'opening'
  /** As `opening`, but hands-free when it is open. */
  | 'opening-locked'
  /** As `opening`, but nobody waits for it any more. */
  | 'opening-abandoned'
  | 'holding'
  | 'locked'
  | 'paused'
  | 'binned';

export type GestureEvent =
  | 'press'
  /** The microphone delivers. */
  | 'ready'
  /** The microphone could not be opened. */
  | 'refused'
  /** Released so quickly that a tap was meant. */
  | 'tap'
  /** Released after less than a second of recording. */
  | 'short'
  | 'release'
  | 'slide-cancel'
  | 'slide-lock'
  | 'pause'
  | 'resume'
  | 'delete'
  | 'undo'
  /** The bin's seconds are over. */
  | 'expire'
  | 'send'
  /** The person went to another thread. */
  | 'leave'
  /** The microphone was taken away. */
  | 'interrupt'
  /** The longest duration is reached. */
  | 'limit';

export type Effect = 'open' | 'begin' | 'pause' | 'resume' | 'discard' | 'finish';
export type Hint = 'hold-longer' | 'too-short' | 'ready' | 'limit' | 'interrupted';

export interface Step {
  readonly to: Phase;
  readonly effects?: readonly Effect[];
  readonly hint?: Hint;
}

const binned: Step = { to: 'binned', effects: ['pause'] };
const sent: Step = { to: 'idle', effects: ['finish'] };
const tooShort: Step = { to: 'idle', effects: ['discard'], hint: 'too-short' };
const limited: Step = { to: 'paused', effects: ['pause'], hint: 'limit' };
const interrupted: Step = { to: 'paused', effects: ['pause'], hint: 'interrupted' };
const left: Step = { to: 'paused', effects: ['pause'] };
const abandoned: Step = { to: 'opening-abandoned' };

export const gestureTable: Readonly<Record<Phase, { readonly [E in GestureEvent]?: Step }>> = {
  idle: {
    press: { to: 'opening', effects: ['open'] },
  },
  opening: {
    ready: { to: 'holding', effects: ['begin'] },
    refused: { to: 'idle' },
    tap: { to: 'opening-locked' },
    short: abandoned,
    release: abandoned,
    'slide-cancel': abandoned,
    'slide-lock': { to: 'opening-locked' },
    leave: abandoned,
    interrupt: abandoned,
  },
  'opening-locked': {
    ready: { to: 'locked', effects: ['begin'] },
    refused: { to: 'idle' },
    delete: abandoned,
    leave: abandoned,
  },
  // The browser asked for permission and took the finger's attention: nothing is recorded unasked.
  'opening-abandoned': {
    // The request may never be answered: it is made anew.
    press: { to: 'opening', effects: ['open'] },
    ready: { to: 'idle', effects: ['discard'], hint: 'ready' },
    refused: { to: 'idle' },
  },
  holding: {
    tap: { to: 'locked' },
    short: tooShort,
    release: sent,
    'slide-cancel': binned,
    'slide-lock': { to: 'locked' },
    leave: left,
    interrupt: interrupted,
    limit: limited,
  },
  locked: {
    pause: { to: 'paused', effects: ['pause'] },
    delete: binned,
    send: sent,
    short: tooShort,
    leave: left,
    interrupt: interrupted,
    limit: limited,
  },
  paused: {
    resume: { to: 'locked', effects: ['resume'] },
    delete: binned,
    send: sent,
    short: tooShort,
  },
  binned: {
    undo: { to: 'paused' },
    expire: { to: 'idle', effects: ['discard'] },
    press: { to: 'opening', effects: ['discard', 'open'] },
  },
};

/** The step an event causes, or null when the phase has no use for it. */
export function stepOf(phase: Phase, event: GestureEvent): Step | null {
  return gestureTable[phase][event] ?? null;
}

/** A press this short (ms) is a tap. */
export const tapMs = 300;
/** Recordings shorter than this (ms) are thrown away. */
export const shortestMs = 1000;
/** How far (CSS pixels) a slide goes before it cancels or locks. */
export const cancelDistance = 96;
export const lockDistance = 72;

/**
 * What a release means.
 *
 * @param heldMs since the press
 * @param recordedMs what the recording holds
 */
export function releaseOf(heldMs: number, recordedMs: number): 'tap' | 'short' | 'release' {
  if (heldMs < tapMs) return 'tap';
  return recordedMs < shortestMs ? 'short' : 'release';
}

/** What a slide by `dx`, `dy` (CSS pixels; left and up negative) has reached: the longer way wins. */
export function slideOf(dx: number, dy: number): 'slide-cancel' | 'slide-lock' | null {
  const left = -dx / cancelDistance;
  const up = -dy / lockDistance;
  if (Math.max(left, up) < 1) return null;
  return left >= up ? 'slide-cancel' : 'slide-lock';
}
