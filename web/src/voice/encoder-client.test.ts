import { expect, test } from 'vitest';
import { EncoderClient, type WorkerPort } from './encoder-client';
import type { FromWorker, ToWorker } from './encoder-protocol';

class FakeWorker {
  onmessage: WorkerPort['onmessage'] = null;
  onerror: WorkerPort['onerror'] = null;
  onmessageerror: WorkerPort['onmessageerror'] = null;
  readonly asked: ToWorker[] = [];
  isTerminated = false;

  postMessage(message: ToWorker): void {
    this.asked.push(message);
  }
  terminate(): void {
    this.isTerminated = true;
  }
  say(message: FromWorker): void {
    (this.onmessage as (event: { data: FromWorker }) => void)({ data: message });
  }
  break(): void {
    (this.onerror as () => void)();
  }
}

function pair() {
  const worker = new FakeWorker();
  const client = new EncoderClient(worker as WorkerPort);
  const failures: string[] = [];
  client.onFailed = () => failures.push('failed');
  return { worker, client, failures };
}

const port = {} as MessagePort;
const broken: FromWorker = { kind: 'failed', id: null, code: 'failed' };
const packed = (id: number): FromWorker => ({
  kind: 'packed',
  id,
  bytes: new ArrayBuffer(4),
  durationMs: 20,
  waveform: [1],
});

test('each answer reaches its question', async () => {
  const { worker, client } = pair();
  const [first, second] = [client.pack(), client.pack()];
  worker.say(packed(2));
  worker.say({ kind: 'failed', id: 1, code: 'failed' });
  await expect(first).rejects.toMatchObject({ code: 'failed' });
  expect(await second).toMatchObject({ durationMs: 20 });
});

test('a worker that does not load is no encoder, and questions to it fail at once', async () => {
  const { worker, client } = pair();
  const [opened, asked] = [client.open(port), client.pack()];
  worker.break();
  expect(await opened).toBe(false);
  await expect(asked).rejects.toMatchObject({ code: 'failed' });
  await expect(client.repack(new Blob([]), 'ogg')).rejects.toMatchObject({ code: 'failed' });
});

test('a broken encoder is told, and what it had encoded can still be had', async () => {
  const { worker, client, failures } = pair();
  const opened = client.open(port);
  worker.say({ kind: 'opened', isSupported: true });
  expect(await opened).toBe(true);
  worker.say(broken);
  worker.break();
  expect(failures).toEqual(['failed', 'failed']);
  const asked = client.pack();
  worker.say(packed(1));
  expect(await asked).toMatchObject({ waveform: [1] });
});

test('nobody waits for a closed worker', async () => {
  const { worker, client } = pair();
  const [opened, asked] = [client.open(port), client.pack()];
  client.close();
  expect([worker.isTerminated, await opened]).toEqual([true, false]);
  await expect(asked).rejects.toMatchObject({ code: 'failed' });
  await expect(client.pack()).rejects.toMatchObject({ code: 'failed' });
});
