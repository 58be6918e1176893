/** The locks of a browser (Web Locks API) for the tabs of a test, as far as `leader.ts` needs them. */
interface Request {
  readonly task: (lock: Lock | null) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class FakeLocks {
  #held: Request | null = null;
  #queue: Request[] = [];

  /** To be handed to a tab. */
  get manager(): LockManager {
    return this as unknown as LockManager;
  }

  request(_name: string, options: LockOptions, task: Request['task']): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = { task, resolve, reject };
      if (options.steal) {
        this.#held?.reject(new DOMException('stolen', 'AbortError'));
        this.#hold(request);
      } else if (!this.#held) {
        this.#hold(request);
      } else if (options.ifAvailable) {
        resolve(task(null));
      } else {
        this.#queue.push(request);
        options.signal?.addEventListener('abort', () => {
          if (this.#queue.includes(request)) {
            this.#queue = this.#queue.filter((other) => other !== request);
            reject(new DOMException('aborted', 'AbortError'));
          }
        });
      }
    });
  }

  #hold(request: Request): void {
    this.#held = request;
    // A browser calls back in its own time.
    void Promise.resolve()
      .then(() => request.task({ name: '', mode: 'exclusive' }))
      .then(request.resolve, request.reject)
      .finally(() => this.#letGo(request));
  }

  #letGo(request: Request): void {
    if (this.#held === request) {
      this.#held = null;
      const next = this.#queue.shift();
      if (next) {
        this.#hold(next);
      }
    }
  }
}
