/** Voice messages: which texts are one, fetching and opening them, and what is kept. */
import { decryptFile, FILE_TAG_BYTES, parseAesGcmUrl, WireError } from '../e2ee';
import type { MessageRecord, StoredContent } from './records';
import type { Store } from './store';

/** Fetched without being asked for up to this size; anything an hour long in Opus stays below. */
export const AUTO_FETCH_BYTES = 5 * 1024 * 1024;
const MAX_FETCH_BYTES = 100 * 1024 * 1024;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  weba: 'audio/webm',
  webm: 'audio/webm',
};

/** What a decrypted text is: a voice message when it is nothing but the address of an encrypted recording. */
export function contentOf(text: string): StoredContent {
  const url = text.trim();
  const extension = /^aesgcm:\/\/[^\s#]+\.([a-z0-9]+)#[0-9a-f]+$/i.exec(url)?.[1]?.toLowerCase();
  const mediaType = extension && MEDIA_TYPES[extension];
  if (!mediaType) {
    return { kind: 'text', text };
  }
  return {
    kind: 'voice',
    url,
    mediaType,
    sizeBytes: 0,
    durationMs: 0,
    waveform: [],
    isHeard: false,
    positionMs: 0,
  };
}

export interface VoiceParts {
  readonly store: Store;
  readonly fetcher: typeof fetch;
  /** Duration and wave of an audio file; rejects when it cannot be decoded. */
  readonly analyse: (blob: Blob) => Promise<{ durationMs: number; waveform: number[] }>;
  /** Whether a host is this page's own and without TLS. */
  readonly isPlainHost: (host: string) => boolean;
}

/** Recordings in the encrypted cache. */
export class Recordings {
  readonly #running = new Map<string, Promise<Blob>>();
  #queue: Promise<void> = Promise.resolve();

  constructor(private readonly parts: VoiceParts) {}

  /** Fetches the recording by and by, if it is not too large; failures only leave it for later. */
  fetchLater(record: MessageRecord): void {
    if (record.content.kind === 'voice' && record.content.durationMs === 0 && !record.content.isUnavailable) {
      this.#queue = this.#queue.then(async () => {
        await this.#once(record.id, AUTO_FETCH_BYTES).catch(() => undefined);
      });
    }
  }

  /**
   * The recording of a voice message.
   *
   * @throws Error when it cannot be had; the message tells whether for good.
   */
  async file(messageId: string): Promise<Blob> {
    // A fetch that nobody asked for may be under way, and give up on a large file.
    await this.#running.get(messageId)?.catch(() => undefined);
    return this.#once(messageId, MAX_FETCH_BYTES);
  }

  #once(messageId: string, limitBytes: number): Promise<Blob> {
    const running = this.#running.get(messageId);
    if (running) {
      return running;
    }
    const run = this.#obtain(messageId, limitBytes).finally(() => this.#running.delete(messageId));
    this.#running.set(messageId, run);
    return run;
  }

  async #obtain(messageId: string, limitBytes: number): Promise<Blob> {
    const { store } = this.parts;
    const record = await store.db.getMessage(messageId);
    if (record?.content.kind !== 'voice') {
      throw new Error('not a voice message');
    }
    const { mediaType } = record.content;
    const cached = await store.db.getBlob(messageId);
    if (cached) {
      return new Blob([cached], { type: mediaType });
    }
    try {
      return await this.#download(record, record.content.url, mediaType, limitBytes);
    } catch (error) {
      if (error instanceof Gone || error instanceof WireError) {
        await this.#change(messageId, { isUnavailable: true });
      }
      throw error;
    } finally {
      store.setProgress(record, undefined);
    }
  }

  async #download(record: MessageRecord, address: string, mediaType: string, limitBytes: number): Promise<Blob> {
    const { url, secret } = parseAesGcmUrl(address, this.parts.isPlainHost);
    // Neither cookies nor the page's address are the other server's business.
    const response = await this.parts.fetcher(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
    if (response.status === 404 || response.status === 410 || response.status === 403) {
      throw new Gone();
    }
    if (!response.ok) {
      throw new Error(`download failed with ${response.status}`);
    }
    const ciphertext = await this.#read(record, response, limitBytes);
    const plain = await decryptFile(ciphertext, secret);
    const blob = new Blob([plain], { type: mediaType });
    const wave = await this.parts.analyse(blob).catch(() => ({ durationMs: 0, waveform: [] }));
    await this.#change(record.id, { ...wave, sizeBytes: plain.length, isUnavailable: false }, plain);
    return blob;
  }

  async #read(record: MessageRecord, response: Response, limitBytes: number): Promise<Blob> {
    const announced = Number(response.headers.get('content-length')) || 0;
    const limit = limitBytes + FILE_TAG_BYTES;
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    const reader = response.body?.getReader();
    for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
      received += step.value.length;
      if (received > limit || announced > limit) {
        await reader?.cancel();
        throw new Error('the recording is larger than allowed');
      }
      chunks.push(step.value);
      this.parts.store.setProgress(record, announced > 0 ? Math.min(1, received / announced) : 0);
    }
    return new Blob(chunks);
  }

  async #change(messageId: string, patch: object, bytes?: Uint8Array): Promise<void> {
    const { store } = this.parts;
    await store.update(
      messageId,
      (record) => (record.content.kind === 'voice' ? { ...record, content: { ...record.content, ...patch } } : null),
      bytes ? [await store.db.sealBlob(messageId, bytes)] : [],
    );
  }
}

/** The file is not, or no longer, where its address says. */
class Gone extends Error {}
