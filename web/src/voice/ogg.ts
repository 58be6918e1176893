/** Opus packets into an Ogg file (RFC 7845). Lazy: this pulls in the container library. */
import {
  ALL_FORMATS,
  BlobSource,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedPacketSink,
  Input,
  Mp4OutputFormat,
  OggOutputFormat,
  Output,
  type OutputFormat,
} from 'mediabunny';
import { sampleRate } from './encoder-protocol';

export interface OpusPacket {
  readonly data: Uint8Array;
  readonly timestampUs: number;
  readonly durationUs: number;
}

/**
 * Packs packets of one mono stream.
 *
 * @param description the encoder's identification header (RFC 7845 §5.1), when it gave one
 */
export async function packOgg(packets: readonly OpusPacket[], description?: Uint8Array): Promise<ArrayBuffer> {
  const config: AudioDecoderConfig = { codec: 'opus', sampleRate, numberOfChannels: 1 };
  if (description) config.description = description;
  const encoded = packets.map(
    ({ data, timestampUs, durationUs }) => new EncodedPacket(data, 'key', timestampUs / 1e6, durationUs / 1e6),
  );
  return write(new OggOutputFormat(), encoded, config);
}

/**
 * The Opus stream of any container, in Ogg.
 *
 * @throws Error when there is no Opus stream in it
 */
export function repackOgg(blob: Blob): Promise<{ bytes: ArrayBuffer; durationMs: number }> {
  return repack(blob, new OggOutputFormat());
}

/** The Opus stream of any container, in MP4: for browsers that decode Opus but do not know Ogg. */
export function repackMp4(blob: Blob): Promise<{ bytes: ArrayBuffer; durationMs: number }> {
  return repack(blob, new Mp4OutputFormat());
}

async function repack(blob: Blob, format: OutputFormat): Promise<{ bytes: ArrayBuffer; durationMs: number }> {
  const input = new Input({ source: new BlobSource(blob), formats: ALL_FORMATS });
  const track = await input.getPrimaryAudioTrack();
  const config = await track?.getDecoderConfig();
  if (!track || !config || (await track.getCodec()) !== 'opus') throw new Error('no Opus stream');
  const packets: EncodedPacket[] = [];
  let end = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    packets.push(packet);
    end = packet.timestamp + packet.duration;
  }
  return { bytes: await write(format, packets, config), durationMs: Math.round(end * 1000) };
}

async function write(
  format: OutputFormat,
  packets: readonly EncodedPacket[],
  decoderConfig: AudioDecoderConfig,
): Promise<ArrayBuffer> {
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const source = new EncodedAudioPacketSource('opus');
  output.addAudioTrack(source);
  await output.start();
  for (const packet of packets) await source.add(packet, { decoderConfig });
  await output.finalize();
  if (target.buffer === null) throw new Error('no file was written');
  return target.buffer;
}
