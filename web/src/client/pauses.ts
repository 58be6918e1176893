import { Backoff } from './backoff';

const FIRST_MS = 10_000;
const CAP_MS = 5 * 60_000;

/** What rests after a failure that may pass: longer with each failure of the same thing, until it is tried again. */
export class Pauses {
  readonly #backoffs = new Map<string, { readonly backoff: Backoff; failures: number }>();
  readonly #resting = new Map<string, symbol>();

  /**
   * @param random Returns a number in [0, 1).
   * @param after Runs a task after some milliseconds.
   */
  constructor(
    private readonly random: () => number,
    private readonly after: (delayMs: number, task: () => void) => void,
  ) {}

  /** Whether it rests. */
  has(key: string): boolean {
    return this.#resting.has(key);
  }

  /** How often a thing has failed so far. */
  failures(thing: string): number {
    return this.#backoffs.get(thing)?.failures ?? 0;
  }

  /**
   * Lets something rest because of a thing that failed.
   *
   * @param onOver Called when the time is over, unless the rest was ended before.
   */
  begin(key: string, thing: string, onOver: () => void): void {
    const counted = this.#backoffs.get(thing) ?? {
      backoff: new Backoff(this.random, FIRST_MS, CAP_MS),
      failures: 0,
    };
    counted.failures += 1;
    this.#backoffs.set(thing, counted);
    const rest = Symbol();
    this.#resting.set(key, rest);
    this.after(counted.backoff.next(), () => {
      if (this.#resting.get(key) === rest) {
        this.#resting.delete(key);
        onOver();
      }
    });
  }

  /** It is tried again at once. */
  end(key: string): void {
    this.#resting.delete(key);
  }

  /** All are. */
  endAll(): void {
    this.#resting.clear();
  }

  /** The thing is done with: its failures do not count any more. */
  forget(thing: string): void {
    this.#backoffs.delete(thing);
  }
}
