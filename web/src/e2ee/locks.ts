/** Mutual exclusion by name, in one place or across all tabs of the origin. */
export interface Locks {
  /**
   * Runs a task while holding all the named locks. They are taken in sorted order, so that tasks that want several
   * never wait for each other in a circle; a task must not ask for further locks.
   */
  run<T>(names: readonly string[], task: () => Promise<T>): Promise<T>;
}

/** Locks across tabs (Web Locks API). */
export class BrowserLocks implements Locks {
  constructor(private readonly manager: LockManager) {}

  run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    return nest(sorted(names), task, (name, inner) => this.manager.request(name, inner) as Promise<T>);
  }
}

/** Locks within one script: for tests, and where a browser lacks the Web Locks API. */
export class LocalLocks implements Locks {
  private readonly tails = new Map<string, Promise<void>>();

  run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    return nest(sorted(names), task, (name, inner) => this.hold(name, inner));
  }

  private async hold<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.tails.get(name) ?? Promise.resolve();
    const { promise, resolve } = deferred();
    const tail = before.then(() => promise);
    this.tails.set(name, tail);
    await before;
    try {
      return await task();
    } finally {
      resolve();
      if (this.tails.get(name) === tail) {
        this.tails.delete(name);
      }
    }
  }
}

/** Locks across tabs where the browser has them. */
export function defaultLocks(): Locks {
  const manager = typeof navigator === 'undefined' ? undefined : navigator.locks;
  return manager === undefined ? new LocalLocks() : new BrowserLocks(manager);
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

function nest<T>(
  names: readonly string[],
  task: () => Promise<T>,
  hold: (name: string, inner: () => Promise<T>) => Promise<T>,
): Promise<T> {
  const [first, ...rest] = names;
  return first === undefined ? task() : hold(first, () => nest(rest, task, hold));
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
