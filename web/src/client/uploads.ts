/** Files on their way to the server: slots (XEP-0363), resumable upload (tus 1.0), plain PUT where there is no tus. */
import type { DetailedError, Upload } from 'tus-js-client';
import { encryptFile } from '../e2ee';
import type { FailureCode } from '../model';
import { ClientError, isPassing, StanzaError } from './errors';
import { domainOf } from './jid';
import type { Link } from './link';
import { NS } from './ns';
import type { PendingUpload, UploadSlot } from './records';
import { fragmentOf } from './secrets';
import { elements, find, findAll, textOf, type XmlNode, x } from './xml';

/** Why a file did not reach the server. */
export class UploadError extends ClientError {
  /**
   * @param failure What the person is told; null when it is only the network, and worth another try.
   * @param isSlotSpent A new slot is needed.
   */
  constructor(
    readonly failure: FailureCode | null,
    readonly isSlotSpent = false,
    options?: ErrorOptions,
  ) {
    super(failure ?? 'network', undefined, options);
  }
}

/** Sends the bytes to a slot; goes on where an earlier call stopped. Rejects with `UploadError`. */
export type Uploader = (
  slot: UploadSlot,
  file: Blob,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Encrypts a recording for its upload (XEP-0454), under a name that says nothing. */
export async function encryptUpload(
  recording: Blob,
): Promise<{ readonly ciphertext: Uint8Array<ArrayBuffer>; readonly upload: PendingUpload }> {
  const { ciphertext, secret } = await encryptFile(recording);
  const upload = {
    fileName: `${crypto.randomUUID()}.ogg`,
    fragment: fragmentOf(secret),
    sizeBytes: ciphertext.length,
  };
  return { ciphertext, upload };
}

/** Slots of the own server. */
export class Slots {
  #service: Promise<string> | null = null;

  constructor(
    private readonly link: Link,
    private readonly now: () => number,
  ) {}

  /**
   * Asks for a slot.
   *
   * @param sizeBytes Size of what will be uploaded, encryption included.
   * @throws UploadError if the server refuses; StanzaError if it may give one later; OfflineError.
   */
  async request(fileName: string, sizeBytes: number): Promise<UploadSlot> {
    const attrs = { filename: fileName, size: String(sizeBytes), 'content-type': 'application/octet-stream' };
    try {
      this.#service ??= this.#find();
      const answer = await this.link.request('get', x(NS.upload, 'request', attrs), await this.#service);
      return parseSlot(answer, this.now());
    } catch (error) {
      this.#service = null;
      if (error instanceof StanzaError && (SLOT_FAILURES[error.condition] || !isPassing(error))) {
        throw new UploadError(SLOT_FAILURES[error.condition] ?? 'server-error', false, { cause: error });
      }
      throw error;
    }
  }

  async #find(): Promise<string> {
    const domain = domainOf(this.link.jid);
    if (await this.#offersUpload(domain)) {
      return domain;
    }
    const items = await this.link.request('get', x(NS.discoItems, 'query'), domain);
    for (const item of findAll(find(items, NS.discoItems, 'query'), NS.discoItems, 'item')) {
      if (item.attrs.jid && (await this.#offersUpload(item.attrs.jid))) {
        return item.attrs.jid;
      }
    }
    throw new StanzaError('feature-not-implemented', 'cancel');
  }

  async #offersUpload(jid: string): Promise<boolean> {
    try {
      const info = await this.link.request('get', x(NS.discoInfo, 'query'), jid);
      const features = findAll(find(info, NS.discoInfo, 'query'), NS.discoInfo, 'feature');
      return features.some((feature) => feature.attrs.var === NS.upload);
    } catch (error) {
      if (error instanceof StanzaError) {
        return false;
      }
      throw error;
    }
  }
}

const SLOT_FAILURES: Readonly<Record<string, FailureCode>> = {
  'not-acceptable': 'too-large',
  'resource-constraint': 'quota',
  forbidden: 'not-allowed',
  'not-allowed': 'not-allowed',
};

/**
 * Reads the answer to a slot request.
 *
 * @throws StanzaError `bad-request` when it lacks an address.
 */
export function parseSlot(answer: XmlNode, at: number): UploadSlot {
  const slot = find(answer, NS.upload, 'slot');
  const put = find(slot, NS.upload, 'put');
  const get = find(slot, NS.upload, 'get');
  if (!put?.attrs.url || !get?.attrs.url) {
    throw new StanzaError('bad-request', 'modify');
  }
  // XEP-0363 section 5: no other header may be taken over, and no line break.
  const headers = elements(put)
    .filter((header) => /^(authorization|cookie|expires)$/i.test(header.attrs.name ?? ''))
    .map((header) => [header.attrs.name as string, textOf(header).replace(/[\r\n]/g, '')]);
  return { put: put.attrs.url, get: get.attrs.url, headers: Object.fromEntries(headers), at };
}

/** Uploads by tus; to a server that does not speak it, by one PUT. */
export const uploadFile: Uploader = async (slot, file, onProgress, signal) => {
  try {
    await uploadByTus(slot, file, onProgress, signal);
  } catch (error) {
    if (!(error instanceof NoTus)) {
      throw error;
    }
    await uploadByPut(slot, file, onProgress, signal);
  }
};

class NoTus extends Error {}

/** The library is fetched with the first upload: most visits make none. */
async function loadTus(): Promise<typeof Upload> {
  try {
    return (await import('tus-js-client')).Upload;
  } catch (error) {
    throw new UploadError(null, false, { cause: error });
  }
}

const uploadByTus: Uploader = async (slot, file, onProgress, signal) => {
  const Tus = await loadTus();
  return new Promise((resolve, reject) => {
    const isForeign = new URL(slot.put).origin !== location.origin;
    const upload = new Tus(file, {
      uploadUrl: slot.put,
      headers: { ...slot.headers },
      retryDelays: isForeign ? [] : [500, 2000, 5000],
      // The outbox remembers the address; nothing about it belongs into localStorage.
      storeFingerprintForResuming: false,
      onShouldRetry: (error) => !(error as DetailedError).originalResponse && !signal.aborted,
      onProgress: (sent, total) => onProgress(total > 0 ? sent / total : 0),
      onSuccess: () => resolve(),
      onError: (error) => reject(tusErrorOf(error as DetailedError, isForeign)),
    });
    const abort = () => {
      void upload.abort();
      reject(new UploadError(null));
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    upload.start();
  });
};

function tusErrorOf(error: DetailedError, isForeign: boolean): Error {
  const response = error.originalResponse;
  const isFirstQuestion = error.originalRequest?.getMethod() === 'HEAD';
  // Another host may keep the page from sending the headers of tus, which looks like a dead network; all take a PUT
  // (XEP-0363 section 8).
  const isUnknown = response ? !response.getHeader('Tus-Resumable') : isForeign;
  return isFirstQuestion && isUnknown ? new NoTus() : uploadErrorOf(response?.getStatus() ?? 0, error);
}

const uploadByPut: Uploader = (slot, file, onProgress, signal) =>
  new Promise((resolve, reject) => {
    // fetch() does not tell how much was sent.
    const request = new XMLHttpRequest();
    request.open('PUT', slot.put);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    for (const [name, value] of Object.entries(slot.headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onProgress(event.loaded / file.size);
    request.onload = () =>
      request.status >= 200 && request.status < 300 ? resolve() : reject(uploadErrorOf(request.status));
    request.onerror = () => reject(uploadErrorOf(0));
    request.onabort = () => reject(new UploadError(null));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });

/** @param status HTTP status; 0 when there was no answer. */
export function uploadErrorOf(status: number, cause?: unknown): UploadError {
  if (status === 413) {
    return new UploadError('too-large', false, { cause });
  }
  if (status === 507) {
    return new UploadError('quota', false, { cause });
  }
  if (status === 403 || status === 404 || status === 410 || status === 409) {
    return new UploadError('refused', true, { cause });
  }
  return status >= 400 && status < 500 && status !== 429 && status !== 408
    ? new UploadError('refused', false, { cause })
    : new UploadError(null, false, { cause });
}
