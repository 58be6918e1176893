import type { Container, FromWorker, ToWorker } from './encoder-protocol';
import { RecorderFailure } from './recorder';

type Packed = Extract<FromWorker, { kind: 'packed' }>;

/** The page's end of the encoding worker. */
export class EncoderClient {
  onLevel: ((loudness: number, recordedMs: number) => void) | null = null;
  onFailed: (() => void) | null = null;

  private readonly worker = new Worker(new URL('./encoder.worker.ts', import.meta.url), { type: 'module' });
  private readonly waiting = new Map<number, PromiseWithResolvers<Packed>>();
  private readonly opened = withResolvers<boolean>();
  private lastId = 0;

  constructor() {
    this.worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data);
    this.worker.onerror = () => this.failAll();
  }

  /** Connects the source of samples. False when this browser has no Opus encoder. */
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
    this.worker.terminate();
    this.failAll();
  }

  private request(message: (id: number) => ToWorker): Promise<Packed> {
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
