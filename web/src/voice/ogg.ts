/** Opus packets in files (Ogg: RFC 7845). For the worker only: this pulls in the container library. */
import {
  BlobSource,
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedPacketSink,
  Input,
  MP4,
  Mp4OutputFormat,
  OGG,
  OggOutputFormat,
  Output,
  WEBM,
} from 'mediabunny';
import { type Container, sampleRate } from './encoder-protocol';

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
  return write('ogg', encoded, config);
}

/**
 * The Opus stream of an Ogg, WebM or MP4 file in another of them.
 *
 * @throws Error when there is no Opus stream in it
 */
export async function repack(blob: Blob, container: Container): Promise<{ bytes: ArrayBuffer; durationMs: number }> {
  const input = new Input({ source: new BlobSource(blob), formats: [OGG, WEBM, MP4] });
  const track = await input.getPrimaryAudioTrack();
  const config = await track?.getDecoderConfig();
  if (!track || !config || (await track.getCodec()) !== 'opus') throw new Error('no Opus stream');
  const packets: EncodedPacket[] = [];
  let end = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    packets.push(packet);
    end = packet.timestamp + packet.duration;
  }
  return { bytes: await write(container, packets, config), durationMs: Math.round(end * 1000) };
}

async function write(
  container: Container,
  packets: readonly EncodedPacket[],
  decoderConfig: AudioDecoderConfig,
): Promise<ArrayBuffer> {
  const format = container === 'ogg' ? new OggOutputFormat() : new Mp4OutputFormat();
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
