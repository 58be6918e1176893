import type { FromWorker, ToWorker } from './encoder-protocol';
import { Encoding } from './encoding';
import { packOgg, repack } from './ogg';

const worker = globalThis as unknown as DedicatedWorkerGlobalScope;
const encoding = new Encoding({
  codecs: typeof AudioEncoder === 'undefined' ? null : { Encoder: AudioEncoder, Data: AudioData },
  packOgg,
  repack,
  send: (message: FromWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer),
});

worker.onmessage = (event: MessageEvent<ToWorker>) => {
  void encoding.handle(event.data);
};
