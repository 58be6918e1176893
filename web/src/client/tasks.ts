import { StoppedError } from './errors';
import { report } from './report';

/**
 * Work that ends together. Whoever stops a group cuts short what listens to its signal, waits for the last of its tasks
 * to end, and knows that none begins after: what they worked with can be closed.
 */
export class TaskGroup {
  readonly #running = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  /** Aborts when the group is stopped. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  get isStopped(): boolean {
    return this.signal.aborted;
  }

  /**
   * Runs a task, which may run others.
   *
   * @throws StoppedError if the group is stopped; the task was not begun. Otherwise what the task throws.
   */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.isStopped) {
      throw new StoppedError();
    }
    const run = task();
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Runs a task that nobody waits for. What goes wrong is reported; that the group is stopped is nothing wrong. */
  spawn(task: () => Promise<unknown>): void {
    this.run(task).catch((error: unknown) => {
      if (!(error instanceof StoppedError)) {
        report(error);
      }
    });
  }

  /** Resolves when no task runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.allSettled(this.#running);
    }
  }

  /** Ends the group. Not to be awaited inside one of its tasks. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.settled();
  }
}
