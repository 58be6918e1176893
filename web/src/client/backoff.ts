/**
 * Exponential back-off with full jitter: the wait is uniform between nothing and a ceiling that doubles with each
 * failure, so that clients that lost the same server do not come back together.
 */
export class Backoff {
  #failures = 0;

  /**
   * @param random Returns a number in [0, 1).
   * @param firstMs Ceiling after the first failure.
   * @param capMs Highest ceiling.
   */
  constructor(
    private readonly random: () => number,
    private readonly firstMs = 500,
    private readonly capMs = 60_000,
  ) {}

  /** Counts a failure and returns the milliseconds to wait before the next try. */
  next(): number {
    const ceiling = Math.min(this.capMs, this.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.round(this.random() * ceiling);
  }

  /** What was tried has proved to work: the next failure is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}
