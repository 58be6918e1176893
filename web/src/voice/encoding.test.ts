import { expect, test } from 'vitest';
import { type FromWorker, frameSize } from './encoder-protocol';
import { Encoding } from './encoding';
import type { OpusPacket } from './ogg';

type Init = AudioEncoderInit;

/** How an encoder of a browser goes wrong; by default it does not. */
interface Behaviour {
  isConfigSupported?: () => Promise<AudioEncoderSupport>;
  configure?: () => void;
  /** Number of the frame, all encoders together. */
  encode?: (frame: number, encoder: { fail(): void }) => void;
  flush?: () => Promise<void>;
  hasOutput?: boolean;
}

function setting({ hasOutput = true, ...behaviour }: Behaviour = {}) {
  let frames = 0;
  class Encoder {
    static isConfigSupported =
      behaviour.isConfigSupported ?? (async () => ({ supported: true }) as AudioEncoderSupport);
    state: CodecState = 'unconfigured';
    constructor(readonly init: Init) {
      encoders.push(this);
    }
    configure(): void {
      behaviour.configure?.();
      this.state = 'configured';
    }
    encode(data: { timestamp: number }): void {
      frames += 1;
      behaviour.encode?.(frames, this);
      if (!hasOutput || this.state === 'closed') return;
      const chunk = { byteLength: 1, timestamp: data.timestamp, duration: 20_000, copyTo: () => {} };
      this.init.output(chunk as unknown as EncodedAudioChunk, {});
    }
    async flush(): Promise<void> {
      await behaviour.flush?.();
    }
    close(): void {
      this.state = 'closed';
    }
    /** As the browser does: closed first, told then. */
    fail(): void {
      this.state = 'closed';
      this.init.error(new DOMException('broken', 'EncodingError'));
    }
  }
  class Data {
    readonly timestamp: number;
    constructor(init: AudioDataInit) {
      this.timestamp = init.timestamp;
    }
    close(): void {}
  }
  const encoders: Encoder[] = [];
  const said: FromWorker[] = [];
  const packings: (readonly OpusPacket[])[] = [];
  const encoding = new Encoding({
    codecs: { Encoder: Encoder as unknown as typeof AudioEncoder, Data: Data as unknown as typeof AudioData },
    packOgg: async (packets) => {
      packings.push([...packets]);
      return new ArrayBuffer(8);
    },
    repack: async () => {
      throw new Error('no Opus stream');
    },
    send: (message) => said.push(message),
  });
  return { encoding, encoders, said, packings };
}

async function opened(behaviour: Behaviour = {}) {
  const set = setting(behaviour);
  const port = { onmessage: null as ((event: { data: Float32Array }) => void) | null };
  await set.encoding.handle({ kind: 'open', port: port as unknown as MessagePort });
  await set.encoding.handle({ kind: 'run', isRunning: true });
  const speak = (count: number) => {
    for (let frame = 0; frame < count; frame += 1) port.onmessage?.({ data: new Float32Array(frameSize).fill(0.5) });
  };
  return { ...set, speak };
}

const rejecting = () => Promise.reject(new TypeError('odd'));
const throwing = () => {
  throw new DOMException('odd', 'NotSupportedError');
};

test.each<[string, Behaviour]>([
  ['has no such format', { isConfigSupported: async () => ({ supported: false }) as AudioEncoderSupport }],
  ['cannot be asked', { isConfigSupported: rejecting }],
  ['throws when asked', { isConfigSupported: throwing }],
  ['throws when set up', { configure: throwing }],
  ['throws at the first sound', { encode: throwing }],
  ['breaks at the first sound', { encode: (_, encoder) => encoder.fail(), flush: rejecting }],
  ['gives nothing', { hasOutput: false }],
])('an encoder that %s is none: the page is answered', async (_, behaviour) => {
  const { said, encoders } = await opened(behaviour);
  expect(said).toEqual([{ kind: 'opened', isSupported: false }]);
  expect(encoders.filter(({ state }) => state === 'configured')).toEqual([]);
});

test('a browser without WebCodecs still repacks', async () => {
  const said: FromWorker[] = [];
  const nothing = async () => new ArrayBuffer(0);
  const encoding = new Encoding({
    codecs: null,
    packOgg: nothing,
    repack: async () => ({ bytes: new ArrayBuffer(2), durationMs: 40 }),
    send: (message) => said.push(message),
  });
  await encoding.handle({ kind: 'open', port: {} as MessagePort });
  await encoding.handle({ kind: 'repack', id: 1, blob: new Blob([]), container: 'ogg' });
  expect(said).toMatchObject([
    { kind: 'opened', isSupported: false },
    { kind: 'packed', id: 1, durationMs: 40, waveform: [] },
  ]);
});

test('what is spoken is packed, without the silence of the trial', async () => {
  const { encoding, said, packings, speak } = await opened();
  speak(50);
  await encoding.handle({ kind: 'run', isRunning: false });
  speak(50);
  await encoding.handle({ kind: 'pack', id: 7 });
  expect(packings[0]).toHaveLength(50);
  expect(packings[0]?.[0]?.timestampUs).toBe(0);
  expect(said.filter(({ kind }) => kind === 'level')).toHaveLength(25);
  expect(said.at(-1)).toMatchObject({ kind: 'packed', id: 7, durationMs: 1000 });
});

test.each<[string, NonNullable<Behaviour['encode']>]>([
  ['says so', (frame, encoder) => frame === 12 && encoder.fail()],
  ['throws', (frame) => frame === 12 && throwing()],
])('an encoder that breaks in mid-recording and %s loses nothing of before', async (_, encode) => {
  const { encoding, said, packings, speak } = await opened({ encode });
  speak(30);
  expect(said).toContainEqual({ kind: 'failed', id: null, code: 'failed' });
  await encoding.handle({ kind: 'pack', id: 1 });
  expect(packings[0]).toHaveLength(10);
  expect(said.at(-1)).toMatchObject({ kind: 'packed', durationMs: 200 });
});

test('a question that cannot be answered is refused', async () => {
  const { encoding, said } = await opened();
  await encoding.handle({ kind: 'pack', id: 1 });
  await encoding.handle({ kind: 'repack', id: 2, blob: new Blob([]), container: 'mp4' });
  expect(said.slice(-2)).toEqual([
    { kind: 'failed', id: 1, code: 'failed' },
    { kind: 'failed', id: 2, code: 'failed' },
  ]);
});
