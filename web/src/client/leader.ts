import type { Clock } from './clock';

/**
 * One tab at a time. Two tabs of one profile share the database and the installation's name on the server, so exactly
 * one may hold the connection: the one whose person asked last, by opening it or by taking the app back to it. It asks
 * the others to let go, and they show that the app is open elsewhere until they are asked for, or it is closed.
 *
 * The lock of the browser decides who works; the asking, which all tabs hear, decides who is to have it. A tab that
 * gets the lock although somebody asked after it passes it on.
 */
const LOCK = 'parley-leader';
const CHANNEL = 'parley-leader';
/** A tab that is frozen in the background cannot answer; then the lock is taken from it. */
const PATIENCE_MS = 4_000;

export interface LeaderEvents {
  /** The lock is ours. */
  onGained(): Promise<void>;
  /** Another tab asks for it: store everything, end the connection; the lock goes when the promise resolves. */
  onAsked(): Promise<void>;
  /** It was taken from us. */
  onStolen(): void;
}

/** The wish of a tab's person to have the app there. */
interface Ask {
  readonly at: number;
  /** Decides between two of the same moment. */
  readonly id: string;
}

export class Leader {
  readonly #channel: BroadcastChannel | null;
  #release: (() => void) | null = null;
  #ask: Ask = { at: 0, id: '' };
  /** Somebody asked after us: the lock is passed on once, if it comes. */
  #isOutdated = false;
  /** Ends the wait of `take`. */
  #settle: (() => void) | null = null;
  #cancelPatience = () => {};
  #waiting = new AbortController();

  constructor(
    private readonly events: LeaderEvents,
    private readonly clock: Clock,
    private readonly locks: LockManager | undefined = globalThis.navigator?.locks,
  ) {
    this.#channel = this.locks && typeof BroadcastChannel !== 'undefined' ? new BroadcastChannel(CHANNEL) : null;
    this.#channel?.addEventListener('message', ({ data }) => this.#onAsk(data));
  }

  get isLeader(): boolean {
    return this.#release !== null;
  }

  /**
   * Asks the tab that has the lock for it, and takes it by force when there is no answer. Resolves when it is ours and
   * `onGained` is done, or when another tab has asked meanwhile.
   */
  async take(): Promise<void> {
    if (!this.locks) {
      this.#release = () => {};
      await this.events.onGained();
      return;
    }
    this.#ask = { at: this.clock.now(), id: crypto.randomUUID() };
    this.#isOutdated = false;
    await new Promise<void>((resolve) => {
      this.#settle?.();
      this.#settle = resolve;
      this.#channel?.postMessage(this.#ask);
      this.#cancelPatience();
      this.#cancelPatience = this.clock.after(PATIENCE_MS, () => this.#request({ steal: true }));
      this.#queueUp();
    });
  }

  /** Gets the lock in turn: when the tab that has it lets go, or is closed. */
  #queueUp(): void {
    this.#waiting.abort();
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  #request(options: LockOptions): void {
    let isHeld = false;
    this.locks
      ?.request(LOCK, options, async () => {
        isHeld = true;
        await this.#hold();
      })
      .catch(() => {
        // A request that was called off while it waited is rejected, too.
        if (isHeld) {
          this.#onStolen();
        }
      });
  }

  /** The lock is ours until the promise resolves. */
  async #hold(): Promise<void> {
    this.#cancelPatience();
    this.#waiting.abort();
    if (this.#isOutdated) {
      this.#isOutdated = false;
      this.#queueUp();
      return;
    }
    const settle = this.#settle;
    this.#settle = null;
    const released = new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    try {
      await this.events.onGained();
    } finally {
      settle?.();
    }
    await released;
  }

  #onStolen(): void {
    this.#release = null;
    this.events.onStolen();
    this.#queueUp();
  }

  #onAsk(ask: Ask): void {
    if (ask.at < this.#ask.at || (ask.at === this.#ask.at && ask.id < this.#ask.id)) {
      return;
    }
    this.#isOutdated = true;
    if (this.#release) {
      void this.#giveUp(this.#release);
    } else if (this.#settle) {
      this.#cancelPatience();
      this.#settle();
      this.#settle = null;
      void this.events.onAsked();
    }
  }

  async #giveUp(release: () => void): Promise<void> {
    await this.events.onAsked();
    if (this.#release === release) {
      this.#release = null;
      this.#queueUp();
      release();
    }
  }
}
