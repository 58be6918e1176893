/** What the encoding worker does: samples of the microphone to Opus as they come, packed into a file when asked. */
import { bitrate, type Container, type FromWorker, frameSize, sampleRate, type ToWorker } from './encoder-protocol';
import type { OpusPacket } from './ogg';
import { barsOf, loudnessOf, rms } from './waveform';

/** What the browser and the container library give; tests hand in their own. */
export interface EncodingPorts {
  /** Null where the browser has no WebCodecs. */
  readonly codecs: { readonly Encoder: typeof AudioEncoder; readonly Data: typeof AudioData } | null;
  packOgg(packets: readonly OpusPacket[], description?: Uint8Array): Promise<ArrayBuffer>;
  repack(blob: Blob, container: Container): Promise<{ bytes: ArrayBuffer; durationMs: number }>;
  send(message: FromWorker, transfer?: Transferable[]): void;
}

const config: AudioEncoderConfig = { codec: 'opus', sampleRate, numberOfChannels: 1, bitrate };

export class Encoding {
  private readonly packets: OpusPacket[] = [];
  /** RMS of every frame, for the wave. */
  private readonly levels: number[] = [];
  private encoder: AudioEncoder | null = null;
  private description: Uint8Array | undefined;
  private isRunning = false;

  constructor(private readonly ports: EncodingPorts) {}

  /** Does what the page asks. Never throws: every question is answered. */
  async handle(message: ToWorker): Promise<void> {
    if (message.kind === 'open') await this.open(message.port);
    else if (message.kind === 'run') this.isRunning = message.isRunning;
    else await this.answer(message);
  }

  private get codecs(): NonNullable<EncodingPorts['codecs']> {
    if (!this.ports.codecs) throw new Error('this browser has no encoder');
    return this.ports.codecs;
  }

  private async open(port: MessagePort): Promise<void> {
    let isSupported = false;
    try {
      if (await this.canEncode()) {
        this.encoder = this.configured((chunk, metadata) => this.keep(chunk, metadata));
        isSupported = true;
        port.onmessage = (event: MessageEvent<Float32Array<ArrayBuffer>>) => {
          if (this.isRunning) this.encode(event.data);
        };
      }
    } catch {
      // An encoder that cannot be asked or set up is none.
    }
    this.ports.send({ kind: 'opened', isSupported });
  }

  /** Some browsers claim what then fails with the first sound, so a moment of silence is encoded on trial. */
  private async canEncode(): Promise<boolean> {
    const { supported } = await this.codecs.Encoder.isConfigSupported(config);
    if (supported !== true) return false;
    let chunks = 0;
    const trial = this.configured(
      () => {
        chunks += 1;
      },
      () => {},
    );
    try {
      this.feed(trial, new Float32Array(frameSize), 0);
      await trial.flush();
      return chunks > 0;
    } finally {
      if (trial.state !== 'closed') trial.close();
    }
  }

  private configured(output: EncodedAudioChunkOutputCallback, error = () => this.fail()): AudioEncoder {
    const encoder = new this.codecs.Encoder({ output, error });
    encoder.configure(config);
    return encoder;
  }

  private encode(samples: Float32Array<ArrayBuffer>): void {
    if (this.encoder?.state !== 'configured') return;
    const level = rms(samples);
    try {
      this.feed(this.encoder, samples, Math.round((this.levels.length * frameSize * 1_000_000) / sampleRate));
    } catch {
      this.encoder.close();
      this.fail();
      return;
    }
    this.levels.push(level);
    // Two frames a message: 25 levels a second are enough for the eye.
    if (this.levels.length % 2 === 0) {
      this.ports.send({ kind: 'level', loudness: loudnessOf(level), recordedMs: this.recordedMs() });
    }
  }

  /** @param timestamp microseconds since the recording began */
  private feed(encoder: AudioEncoder, samples: Float32Array<ArrayBuffer>, timestamp: number): void {
    const data = new this.codecs.Data({
      format: 'f32-planar',
      sampleRate,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp,
      data: samples,
    });
    try {
      encoder.encode(data);
    } finally {
      data.close();
    }
  }

  private keep(chunk: EncodedAudioChunk, metadata?: EncodedAudioChunkMetadata): void {
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    this.packets.push({ data, timestampUs: chunk.timestamp, durationUs: chunk.duration ?? 20_000 });
    const header = metadata?.decoderConfig?.description;
    if (header && !this.description) this.description = copyOf(header);
  }

  private fail(): void {
    this.ports.send({ kind: 'failed', id: null, code: 'failed' });
  }

  private async answer(message: Extract<ToWorker, { id: number }>): Promise<void> {
    const { id } = message;
    try {
      const packed =
        message.kind === 'pack'
          ? await this.pack()
          : { ...(await this.ports.repack(message.blob, message.container)), waveform: [] };
      this.ports.send({ kind: 'packed', id, ...packed }, [packed.bytes]);
    } catch {
      this.ports.send({ kind: 'failed', id, code: 'failed' });
    }
  }

  private async pack(): Promise<{ bytes: ArrayBuffer; durationMs: number; waveform: number[] }> {
    // One that broke has nothing more to give; what it gave before is kept.
    if (this.encoder?.state === 'configured') await this.encoder.flush().catch(() => {});
    const last = this.packets.at(-1);
    if (!last) throw new Error('nothing was recorded');
    const isWhole = this.encoder?.state === 'configured';
    const encodedMs = (last.timestampUs + last.durationUs) / 1000;
    return {
      bytes: await this.ports.packOgg(this.packets, this.description),
      durationMs: isWhole ? this.recordedMs() : Math.min(encodedMs, this.recordedMs()),
      waveform: barsOf(isWhole ? this.levels : this.levels.slice(0, this.packets.length)),
    };
  }

  private recordedMs(): number {
    return (this.levels.length * frameSize * 1000) / sampleRate;
  }
}

function copyOf(source: AllowSharedBufferSource): Uint8Array {
  const view = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  return view.slice();
}
