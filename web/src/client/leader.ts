/**
 * One tab at a time. Two tabs of one profile share the database and the installation's name on the server, so exactly
 * one may hold the connection. The tab that was opened last has it: it asks the other to let go, and the other shows
 * that the app is open elsewhere until its person takes it back or the newer tab is closed.
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

export class Leader {
  readonly #channel: BroadcastChannel | null;
  #release: (() => void) | null = null;

  constructor(
    private readonly events: LeaderEvents,
    private readonly locks: LockManager | undefined = globalThis.navigator?.locks,
  ) {
    this.#channel = this.locks && typeof BroadcastChannel !== 'undefined' ? new BroadcastChannel(CHANNEL) : null;
    this.#channel?.addEventListener('message', () => void this.#onAsked());
  }

  get isLeader(): boolean {
    return this.#release !== null;
  }

  /** Asks the tab that has the lock for it, and takes it by force when there is no answer. */
  async take(): Promise<void> {
    if (!this.locks) {
      this.#release = () => {};
      await this.events.onGained();
      return;
    }
    const isFree = await this.#request({ ifAvailable: true });
    if (!isFree) {
      this.#channel?.postMessage('release');
      await this.#waitOrSteal();
    }
  }

  /** Gets the lock when the tab that has it is closed. */
  #queueUp(): void {
    void this.#request({}).catch(() => undefined);
  }

  async #waitOrSteal(): Promise<void> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    try {
      await this.#request({ signal: patience.signal });
    } catch {
      await this.#request({ steal: true });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the lock is held and `onGained` is done, or with false when it is not to be had at once. */
  #request(options: LockOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const held = this.locks?.request(LOCK, options, async (lock) => {
        if (!lock) {
          resolve(false);
          return;
        }
        const until = new Promise<void>((release) => {
          this.#release = release;
        });
        await this.events.onGained();
        resolve(true);
        await until;
      });
      held?.catch((error: unknown) => {
        if (this.#release) {
          this.#release = null;
          this.events.onStolen();
          this.#queueUp();
        }
        reject(error);
      });
    });
  }

  async #onAsked(): Promise<void> {
    const release = this.#release;
    if (release) {
      await this.events.onAsked();
      this.#release = null;
      release();
      // Behind the tab that asked, whose request is in the queue already.
      setTimeout(() => this.#queueUp(), 500);
    }
  }
}
