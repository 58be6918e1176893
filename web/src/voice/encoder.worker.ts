/** Encodes the microphone's samples to Opus as they come and packs them into Ogg when asked. */
import { bitrate, type FromWorker, frameSize, sampleRate, type ToWorker } from './encoder-protocol';
import { type OpusPacket, packOgg, repack } from './ogg';
import { barsOf, loudnessOf, rms } from './waveform';

const worker = globalThis as unknown as DedicatedWorkerGlobalScope;
const config: AudioEncoderConfig = { codec: 'opus', sampleRate, numberOfChannels: 1, bitrate };

const packets: OpusPacket[] = [];
/** RMS of every frame, for the wave. */
const levels: number[] = [];
let encoder: AudioEncoder | null = null;
let description: Uint8Array | undefined;
let isRunning = false;
let failure: unknown = null;

worker.onmessage = (event: MessageEvent<ToWorker>) => {
  void handle(event.data);
};

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'open') await open(message.port);
  else if (message.kind === 'run') isRunning = message.isRunning;
  else await answer(message);
}

async function answer(message: Extract<ToWorker, { id: number }>): Promise<void> {
  try {
    const { bytes, durationMs } =
      message.kind === 'pack' ? await pack() : await repack(message.blob, message.container);
    const waveform = message.kind === 'pack' ? barsOf(levels) : [];
    send({ kind: 'packed', id: message.id, bytes, durationMs, waveform }, [bytes]);
  } catch {
    send({ kind: 'failed', id: message.id, code: 'failed' });
  }
}

async function open(port: MessagePort): Promise<void> {
  const isSupported = await canEncode();
  if (isSupported) {
    encoder = new AudioEncoder({ output: keep, error: fail });
    encoder.configure(config);
    port.onmessage = (event: MessageEvent<Float32Array<ArrayBuffer>>) => {
      if (isRunning) encode(event.data);
    };
  }
  send({ kind: 'opened', isSupported });
}

async function canEncode(): Promise<boolean> {
  if (typeof AudioEncoder === 'undefined') return false;
  const { supported } = await AudioEncoder.isConfigSupported(config);
  return supported === true;
}

function encode(samples: Float32Array<ArrayBuffer>): void {
  if (encoder?.state !== 'configured') return;
  const timestamp = Math.round((levels.length * frameSize * 1_000_000) / sampleRate);
  const level = rms(samples);
  levels.push(level);
  const data = new AudioData({
    format: 'f32-planar',
    sampleRate,
    numberOfFrames: samples.length,
    numberOfChannels: 1,
    timestamp,
    data: samples,
  });
  encoder.encode(data);
  data.close();
  // Two frames a message: 25 levels a second are enough for the eye.
  if (levels.length % 2 === 0) send({ kind: 'level', loudness: loudnessOf(level), recordedMs: recordedMs() });
}

function keep(chunk: EncodedAudioChunk, metadata?: EncodedAudioChunkMetadata): void {
  const data = new Uint8Array(chunk.byteLength);
  chunk.copyTo(data);
  packets.push({ data, timestampUs: chunk.timestamp, durationUs: chunk.duration ?? 20_000 });
  const header = metadata?.decoderConfig?.description;
  if (header && !description) description = copyOf(header);
}

function fail(error: unknown): void {
  failure = error;
  send({ kind: 'failed', id: null, code: 'failed' });
}

async function pack(): Promise<{ bytes: ArrayBuffer; durationMs: number }> {
  await encoder?.flush();
  if (failure !== null || packets.length === 0) throw failure ?? new Error('nothing was recorded');
  return { bytes: await packOgg(packets, description), durationMs: recordedMs() };
}

function recordedMs(): number {
  return (levels.length * frameSize * 1000) / sampleRate;
}

function copyOf(source: AllowSharedBufferSource): Uint8Array {
  const view = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return view.slice();
}

function send(message: FromWorker, transfer: Transferable[] = []): void {
  worker.postMessage(message, transfer);
}
