import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { Recording } from '../model';
import { type Effect, type GestureEvent, type Hint, type Phase, releaseOf, shortestMs, stepOf } from './gesture';
import type { Recorder, RecorderEvents } from './recorder';
import { type RecorderErrorCode, RecorderFailure } from './recorder-failure';

/** What the session needs from outside; tests hand in their own. */
export interface VoicePorts {
  open(events: RecorderEvents): Promise<Recorder>;
  /**
   * Takes the place of the message at once, and the recording when it is made. Resolves when the message is stored;
   * rejects also when the recording does.
   */
  send(jid: string, recording: Promise<Recording>): Promise<void>;
  /** A recording begins or goes on: whatever plays falls silent. */
  silence(): void;
  /** What the contact sees. That one records is told again and again, for it fades. */
  onRecording(jid: string, isRecording: boolean): void;
  after(ms: number, act: () => void): () => void;
}

export type HintCode = Hint | RecorderErrorCode;

/** How many of the last levels the live wave shows. */
export const liveLevels = 24;
const longestMs = 30 * 60_000;
const hintMs = 4000;
const binMs = 5000;
/** How long making a file of a recording may take before the person is told; what comes later is not lost. */
const packingMs = 60_000;

/**
 * The one recording of the app. It belongs to a conversation and outlives the screen that began it: leaving the thread
 * pauses it, coming back shows it again.
 */
export class VoiceSession {
  readonly phase: ReadonlySignal<Phase>;
  /** Whom the recording is for; null when there is none. */
  readonly jid: ReadonlySignal<string | null>;
  readonly recordedMs: ReadonlySignal<number>;
  /** Latest loudnesses, 0 to 1, oldest first. */
  readonly levels: ReadonlySignal<readonly number[]>;
  readonly hint: ReadonlySignal<HintCode | null>;
  /** The microphone is still there, so that a paused recording can go on. */
  readonly canResume: ReadonlySignal<boolean>;
  /** Whom the recordings are for that were sent and are not stored yet. */
  readonly preparing: ReadonlySignal<readonly string[]>;

  private readonly ports: VoicePorts;
  private readonly state = {
    phase: signal<Phase>('idle'),
    jid: signal<string | null>(null),
    recordedMs: signal(0),
    levels: signal<readonly number[]>([]),
    hint: signal<HintCode | null>(null),
    canResume: signal(true),
    preparing: signal<readonly string[]>([]),
  };
  private recorder: Recorder | null = null;
  private readonly kept: { readonly jid: string; readonly recorder: Recorder; readonly recordedMs: number }[] = [];
  private pressedAt = 0;
  private attempt = 0;
  private cancelBin: (() => void) | null = null;
  private cancelHint: (() => void) | null = null;

  constructor(ports: VoicePorts) {
    this.ports = ports;
    this.phase = this.state.phase;
    this.jid = this.state.jid;
    this.recordedMs = this.state.recordedMs;
    this.levels = this.state.levels;
    this.hint = this.state.hint;
    this.canResume = this.state.canResume;
    this.preparing = this.state.preparing;
  }

  /** Something that was said would be lost with the page. */
  get isUnsaved(): boolean {
    const phase = this.state.phase.peek();
    return isRunning(phase) || phase === 'paused' || this.kept.length > 0 || this.state.preparing.peek().length > 0;
  }

  /** The button of a conversation went down at `now` (ms, any monotonic clock). */
  press(jid: string, now: number): void {
    const phase = this.state.phase.peek();
    if (phase !== 'idle' && phase !== 'binned' && phase !== 'opening-abandoned') return;
    this.pressedAt = now;
    this.apply('press', jid);
  }

  /** The button went up at `now` (same clock as `press`). */
  release(now: number): void {
    this.apply(releaseOf(now - this.pressedAt, this.state.recordedMs.peek()));
  }

  /** Sends what was recorded; less than a second is thrown away with a hint. */
  send(): void {
    this.apply(this.state.recordedMs.peek() < shortestMs ? 'short' : 'send');
  }

  apply(event: GestureEvent, jid: string | null = null): void {
    const step = stepOf(this.state.phase.peek(), event);
    if (!step) return;
    batch(() => {
      this.cancelBin?.();
      this.cancelBin = null;
      this.state.phase.value = step.to;
      if (step.hint || step.effects?.includes('open')) this.showHint(step.hint ?? null);
      for (const effect of step.effects ?? []) this.run(effect, jid);
      if (step.to === 'idle') this.restore();
      if (step.to === 'binned') this.cancelBin = this.ports.after(binMs, () => this.apply('expire'));
    });
  }

  /** The recording so far, to listen to. Only while paused. */
  async preview(): Promise<Recording | null> {
    return (await this.recorder?.snapshot()) ?? null;
  }

  clearHint(): void {
    this.showHint(null);
  }

  private run(effect: Effect, jid: string | null): void {
    const to = this.state.jid.peek();
    if (to !== null && (effect === 'begin' || effect === 'resume')) {
      this.ports.silence();
      this.ports.onRecording(to, true);
    }
    if (effect === 'open') void this.open(jid ?? '');
    else if (effect === 'begin') this.recorder?.begin();
    else if (effect === 'pause') this.recorder?.pause();
    else if (effect === 'resume') this.recorder?.resume();
    else if (effect === 'discard') this.discard();
    else void this.finish();
    if (to !== null && effect === 'pause') this.ports.onRecording(to, false);
  }

  private async open(jid: string): Promise<void> {
    this.attempt += 1;
    const attempt = this.attempt;
    this.state.jid.value = jid;
    this.state.recordedMs.value = 0;
    this.state.levels.value = [];
    this.state.canResume.value = true;
    try {
      const recorder = await this.ports.open({
        onLevel: (loudness, recordedMs) => {
          if (attempt === this.attempt) this.take(loudness, recordedMs);
        },
        onSuspended: () => {
          if (attempt === this.attempt) this.apply('interrupt');
        },
        onInterrupted: () => {
          if (attempt === this.attempt) this.interrupt();
        },
      });
      if (attempt !== this.attempt) recorder.discard();
      else {
        this.recorder = recorder;
        this.apply('ready');
      }
    } catch (error) {
      if (attempt !== this.attempt) return;
      this.state.jid.value = null;
      this.apply('refused');
      this.showHint(error instanceof RecorderFailure ? error.code : 'failed');
    }
  }

  private take(loudness: number, recordedMs: number): void {
    batch(() => {
      this.state.recordedMs.value = recordedMs;
      this.state.levels.value = [...this.state.levels.peek(), loudness].slice(-liveLevels);
    });
    const to = this.state.jid.peek();
    if (recordedMs >= longestMs) this.apply('limit');
    else if (to !== null && isRunning(this.state.phase.peek())) this.ports.onRecording(to, true);
  }

  private discard(): void {
    this.recorder?.discard();
    this.forget();
  }

  private async finish(): Promise<void> {
    const recorder = this.recorder;
    const jid = this.state.jid.peek();
    const recordedMs = this.state.recordedMs.peek();
    const { preparing } = this.state;
    this.forget();
    if (!recorder || jid === null) return;
    preparing.value = [...preparing.peek(), jid];
    const packing = recorder.finish();
    const packed = this.inTime(packing);
    try {
      await this.ports.send(jid, packed);
    } catch {
      await this.recover(jid, { recorder, packing, packed, recordedMs });
    } finally {
      const index = preparing.peek().indexOf(jid);
      preparing.value = preparing.peek().filter((_, at) => at !== index);
    }
  }

  /** @throws RecorderFailure `unpacked` when it takes too long */
  private inTime(packing: Promise<Recording>): Promise<Recording> {
    const inTime = new Promise<Recording>((resolve, reject) => {
      const cancel = this.ports.after(packingMs, () => reject(new RecorderFailure('unpacked')));
      packing.then(resolve, reject).finally(cancel);
    });
    // Whoever gets it may look at it only when it is its turn.
    inTime.catch(nothing);
    return inTime;
  }

  /** After a recording could not be handed over. */
  private async recover(jid: string, { recorder, packing, packed, recordedMs }: Packing): Promise<void> {
    try {
      const recording = await packed;
      this.keep(jid, finished(recording), recording.durationMs);
      this.showHint('failed');
    } catch (error) {
      const isUnpacked = isUnpackedError(error);
      if (isUnpacked) this.keep(jid, unpacked(recorder, packing), recordedMs);
      else recorder.discard();
      this.showHint(isUnpacked ? 'unpacked' : 'failed');
    }
  }

  /** What could not be handed over is not lost: it comes back as a paused recording, after one that has begun. */
  private keep(jid: string, recorder: Recorder, recordedMs: number): void {
    this.kept.push({ jid, recorder, recordedMs });
    if (this.state.phase.peek() === 'idle') this.restore();
  }

  private restore(): void {
    const kept = this.kept.shift();
    if (!kept) return;
    const { jid, recorder, recordedMs } = kept;
    batch(() => {
      this.recorder = recorder;
      this.state.jid.value = jid;
      this.state.recordedMs.value = recordedMs;
      this.state.canResume.value = false;
      this.state.phase.value = 'paused';
    });
  }

  private interrupt(): void {
    this.state.canResume.value = false;
    this.apply('interrupt');
  }

  private forget(): void {
    const jid = this.state.jid.peek();
    this.recorder = null;
    this.state.jid.value = null;
    this.state.levels.value = [];
    this.state.recordedMs.value = 0;
    if (jid !== null) this.ports.onRecording(jid, false);
  }

  private showHint(hint: HintCode | null): void {
    this.cancelHint?.();
    this.state.hint.value = hint;
    // How to get the microphone back takes longer to read, and to do.
    const isLasting = hint === 'denied' || hint === 'no-microphone' || hint === 'unsupported';
    this.cancelHint = hint === null || isLasting ? null : this.ports.after(hintMs, () => this.showHint(null));
  }
}

/** A recording that was sent, on its way to be a file. */
interface Packing {
  readonly recorder: Recorder;
  readonly packing: Promise<Recording>;
  /** The same, in time. */
  readonly packed: Promise<Recording>;
  readonly recordedMs: number;
}

function isRunning(phase: Phase): boolean {
  return phase === 'holding' || phase === 'locked';
}

function isUnpackedError(error: unknown): boolean {
  return error instanceof RecorderFailure && error.code === 'unpacked';
}

/** A recorder that was asked for its file: what still comes of that counts, and it is asked again if that failed. */
function unpacked(recorder: Recorder, packing: Promise<Recording>): Recorder {
  const whole = () =>
    packing.catch((error: unknown) => {
      if (isUnpackedError(error)) return recorder.finish();
      throw error;
    });
  return { ...finishedParts, snapshot: whole, finish: whole, discard: () => recorder.discard() };
}

const nothing = () => {};
const finishedParts = { begin: nothing, pause: nothing, resume: nothing, discard: nothing };

/** A recorder that has nothing left to record. */
function finished(recording: Recording): Recorder {
  const whole = () => Promise.resolve(recording);
  return { ...finishedParts, snapshot: whole, finish: whole };
}
