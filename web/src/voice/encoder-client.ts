import type { Container, FromWorker, ToWorker } from './encoder-protocol';
import { RecorderFailure } from './recorder-failure';

type Packed = Extract<FromWorker, { kind: 'packed' }>;

/** The part of `Worker` that is used; tests hand in their own. */
export type WorkerPort = Pick<Worker, 'postMessage' | 'terminate' | 'onmessage' | 'onerror' | 'onmessageerror'>;

/** The page's end of the encoding worker. */
export class EncoderClient {
  onLevel: ((loudness: number, recordedMs: number) => void) | null = null;
  /** The encoder or its worker broke; what was encoded before can still be packed if the worker lives. */
  onFailed: (() => void) | null = null;

  private readonly waiting = new Map<number, PromiseWithResolvers<Packed>>();
  private readonly opened = withResolvers<boolean>();
  private lastId = 0;
  private hasLoaded = false;
  /** Nobody is there to answer. */
  private isGone = false;

  constructor(
    private readonly worker: WorkerPort = new Worker(new URL('./encoder.worker.ts', import.meta.url), {
      type: 'module',
    }),
  ) {
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data);
    worker.onmessageerror = () => this.break();
    worker.onerror = () => this.break();
  }

  /** Connects the source of samples. False when this browser has no Opus encoder that works, or no worker for it. */
  open(port: MessagePort): Promise<boolean> {
    this.send({ kind: 'open', port }, [port]);
    return this.opened.promise;
  }

  run(isRunning: boolean): void {
    this.send({ kind: 'run', isRunning });
  }

  /** What was encoded so far, as an Ogg file. @throws RecorderFailure */
  pack(): Promise<Packed> {
    return this.request((id) => ({ kind: 'pack', id }));
  }

  /** Puts a file's Opus stream into another container. @throws RecorderFailure */
  repack(blob: Blob, container: Container): Promise<Packed> {
    return this.request((id) => ({ kind: 'repack', id, blob, container }));
  }

  close(): void {
    this.isGone = true;
    this.worker.terminate();
    this.failAll();
  }

  private request(message: (id: number) => ToWorker): Promise<Packed> {
    if (this.isGone) return Promise.reject(new RecorderFailure('failed'));
    this.lastId += 1;
    const answer = withResolvers<Packed>();
    this.waiting.set(this.lastId, answer);
    this.send(message(this.lastId));
    return answer.promise;
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private receive(message: FromWorker): void {
    this.hasLoaded = true;
    if (message.kind === 'opened') this.opened.resolve(message.isSupported);
    else if (message.kind === 'level') this.onLevel?.(message.loudness, message.recordedMs);
    else if (message.kind === 'packed') this.take(message.id)?.resolve(message);
    else if (message.id !== null) this.take(message.id)?.reject(new RecorderFailure(message.code));
    else this.onFailed?.();
  }

  private take(id: number): PromiseWithResolvers<Packed> | undefined {
    const answer = this.waiting.get(id);
    this.waiting.delete(id);
    return answer;
  }

  /** The worker did not load, or something in it went wrong that nobody foresaw. */
  private break(): void {
    if (!this.hasLoaded) this.isGone = true;
    this.failAll();
    this.onFailed?.();
  }

  private failAll(): void {
    this.opened.resolve(false);
    for (const answer of this.waiting.values()) answer.reject(new RecorderFailure('failed'));
    this.waiting.clear();
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
