/** Files that come as messages, voice messages first of all: which texts are one, fetching and opening them. */
import { decryptFile, FILE_TAG_BYTES, parseAesGcmUrl, WireError } from '../e2ee';
import type { MessageRecord, StoredContent, StoredFile, StoredVoice } from './records';
import type { Store } from './store';
import type { TaskGroup } from './tasks';

/** Fetched without being asked for up to this size; anything an hour long in Opus stays below. */
export const AUTO_FETCH_BYTES = 5 * 1024 * 1024;
const MAX_FETCH_BYTES = 100 * 1024 * 1024;

const AUDIO_TYPES: Readonly<Record<string, string>> = {
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

/** Pictures that are shown; none that can carry a script. */
const PICTURE_TYPES: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
};

const OTHER_TYPE = 'application/octet-stream';

/** XEP-0454 section 3: the address, and behind it perhaps a small picture, which is not used. */
const FILE = /^(aesgcm:\/\/[^\s#]+\/([^\s#/?]+)(?:\?[^\s#]*)?#[0-9a-f]+)(?:\s+data:\S*)?$/i;

/** What a decrypted text is: a voice message or a file when it is nothing but the address of an encrypted one. */
export function contentOf(text: string): StoredContent {
  const [, url, segment] = FILE.exec(text.trim()) ?? [];
  if (!url || !segment) {
    return { kind: 'text', text };
  }
  const name = fileNameOf(segment);
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  const audioType = AUDIO_TYPES[extension];
  if (audioType) {
    const nothing = { sizeBytes: 0, durationMs: 0, waveform: [], isHeard: false, positionMs: 0 };
    return { kind: 'voice', url, mediaType: audioType, ...nothing };
  }
  return { kind: 'file', url, name, mediaType: PICTURE_TYPES[extension] ?? OTHER_TYPE, sizeBytes: 0, isStored: false };
}

/** The name in an address, without what could make it look like another or lead out of a folder. */
export function fileNameOf(segment: string): string {
  let name = segment;
  try {
    name = decodeURIComponent(segment);
  } catch {
    // Not well encoded: as it stands.
  }
  return name.replace(/[\p{Cc}\p{Cf}/\\]/gu, '').slice(-MAX_NAME) || 'file';
}

const MAX_NAME = 120;

/** What files need from the browser. */
export interface FileTools {
  readonly fetcher: typeof fetch;
  /** Duration and wave of an audio file; rejects when it cannot be decoded. */
  readonly analyse: (blob: Blob) => Promise<{ durationMs: number; waveform: number[] }>;
  /** Whether a host is this page's own and without TLS. */
  readonly isPlainHost: (host: string) => boolean;
}

export interface FileParts extends FileTools {
  readonly store: Store;
  /** Fetching by and by belongs to it, and all fetching ends when it is stopped. */
  readonly tasks: TaskGroup;
}

/** Recordings and other files in the encrypted cache. */
export class Files {
  readonly #running = new Map<string, Promise<Blob>>();
  #queue: Promise<void> = Promise.resolve();

  constructor(private readonly parts: FileParts) {}

  /**
   * Fetches recordings and pictures by and by, if they are not too large, and of other files the size; failures only
   * leave it for later.
   */
  fetchLater(record: MessageRecord): void {
    const { content } = record;
    if (!isFile(content) || content.isUnavailable || !content.url) {
      return;
    }
    if (content.kind === 'voice' ? content.durationMs === 0 : isPicture(content) && !content.isStored) {
      this.#enqueue(() => this.#once(record.id, AUTO_FETCH_BYTES));
    } else if (content.kind === 'file' && content.sizeBytes === 0) {
      this.#enqueue(() => this.#measure(record.id, content.url));
    }
  }

  /**
   * The recording of a voice message, or the file.
   *
   * @throws Error when it cannot be had; the message tells whether for good.
   */
  async get(messageId: string): Promise<Blob> {
    // A fetch that nobody asked for may be under way, and give up on a large file.
    await this.#running.get(messageId)?.catch(() => undefined);
    return this.#once(messageId, MAX_FETCH_BYTES);
  }

  #enqueue(task: () => Promise<unknown>): void {
    this.#queue = this.#queue.then(async () => {
      await this.parts.tasks.run(task).catch(() => undefined);
    });
  }

  async #measure(messageId: string, address: string): Promise<void> {
    const { url } = parseAesGcmUrl(address, this.parts.isPlainHost);
    const response = await this.#fetch(url, 'HEAD');
    const length = Number(response.headers.get('content-length')) - FILE_TAG_BYTES;
    if (response.ok && length > 0) {
      await this.#change(messageId, { sizeBytes: length });
    }
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
    if (!record || !isFile(record.content)) {
      throw new Error('not a file');
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
    const response = await this.#fetch(url, 'GET');
    if (response.status === 404 || response.status === 410 || response.status === 403) {
      throw new Gone();
    }
    if (!response.ok) {
      throw new Error(`download failed with ${response.status}`);
    }
    const ciphertext = await this.#read(record, response, limitBytes);
    const plain = await decryptFile(ciphertext, secret);
    const blob = new Blob([plain], { type: mediaType });
    const found = record.content.kind === 'voice' ? await this.#listen(blob) : { isStored: true };
    await this.#change(record.id, { ...found, sizeBytes: plain.length, isUnavailable: false }, plain);
    return blob;
  }

  #fetch(url: string, method: 'GET' | 'HEAD'): Promise<Response> {
    return this.parts.fetcher(url, { ...DISCREET, method, signal: this.parts.tasks.signal });
  }

  /** An audio file that this browser cannot decode is kept all the same. */
  #listen(blob: Blob): Promise<{ durationMs: number; waveform: number[] }> {
    return this.parts.analyse(blob).catch(() => ({ durationMs: 0, waveform: [] }));
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
        throw new Error('the file is larger than allowed');
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
      (record) => (isFile(record.content) ? { ...record, content: { ...record.content, ...patch } } : null),
      bytes ? [await store.db.sealBlob(messageId, bytes)] : [],
    );
  }
}

/** Neither cookies nor the page's address are the other server's business. */
const DISCREET: RequestInit = { credentials: 'omit', referrerPolicy: 'no-referrer' };

function isFile(content: StoredContent): content is StoredVoice | StoredFile {
  return content.kind === 'voice' || content.kind === 'file';
}

function isPicture(content: StoredFile): boolean {
  return content.mediaType !== OTHER_TYPE;
}

/** The file is not, or no longer, where its address says. */
class Gone extends Error {}
