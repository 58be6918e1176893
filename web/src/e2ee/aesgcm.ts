import { copy, fromHex, type OwnedBytes, toHex } from './bytes';
import { WireError } from './errors';

/*
 * Encrypted files (XEP-0454): AES-256-GCM under a fresh key, tag at the end, key and IV in the fragment of the URL,
 * which never goes to the server that keeps the file.
 */

const KEY_BYTES = 32;
const IV_BYTES = 12;
// XEP-0454 §3: 12 bytes; older clients used 16, which is still accepted.
const ACCEPTED_IV_BYTES: readonly number[] = [12, 16];

/** Size of the tag that `encryptFile` appends, in bytes. */
export const FILE_TAG_BYTES = 16;

/** The secret of an encrypted file. */
export interface FileSecret {
  /** 32 bytes. */
  readonly key: OwnedBytes;
  /** 12 bytes; 16 from older clients. */
  readonly iv: OwnedBytes;
}

/** Encrypts a file under a fresh key. */
export async function encryptFile(
  content: Blob | Uint8Array,
): Promise<{ readonly ciphertext: OwnedBytes; readonly secret: FileSecret }> {
  const secret: FileSecret = {
    key: crypto.getRandomValues(new Uint8Array(KEY_BYTES)),
    iv: crypto.getRandomValues(new Uint8Array(IV_BYTES)),
  };
  const key = await importKey(secret, 'encrypt');
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: secret.iv }, key, await bytesOf(content));
  return { ciphertext: new Uint8Array(sealed), secret };
}

/**
 * Decrypts a file.
 *
 * @param ciphertext With the 16-byte tag at its end.
 * @throws WireError `content-corrupt` if it was changed, cut off, or belongs to another secret.
 */
export async function decryptFile(ciphertext: Blob | Uint8Array, secret: FileSecret): Promise<OwnedBytes> {
  const key = await importKey(secret, 'decrypt');
  const sealed = await bytesOf(ciphertext);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: secret.iv }, key, sealed));
  } catch (error) {
    throw new WireError('content-corrupt', 'the file is not authentic', { cause: error });
  }
}

/**
 * The `aesgcm:` URL of an uploaded file. XEP-0454 §3 has no form for files on a server without TLS: the scheme is the
 * same for them, and whoever downloads has to know such hosts.
 *
 * @param url Where it can be downloaded, `https:` or `http:`.
 * @throws WireError `malformed-url`
 */
export function toAesGcmUrl(url: string, secret: FileSecret): string {
  const match = /^https?:\/\/([^#\s]+)(#.*)?$/i.exec(url);
  if (match === null) {
    throw new WireError('malformed-url', 'not an address to download from');
  }
  return `aesgcm://${match[1]}#${toHex(secret.iv)}${toHex(secret.key)}`;
}

/**
 * Takes an `aesgcm:` URL apart.
 *
 * @param isPlainHost Says of a host (with its port) whether it is one without TLS, as on a developer's machine.
 * @returns The address to download from, and the secret.
 * @throws WireError `malformed-url` for another scheme, or a fragment that is not an IV of 12 or 16 bytes and a key.
 */
export function parseAesGcmUrl(
  url: string,
  isPlainHost: (host: string) => boolean = () => false,
): { readonly url: string; readonly secret: FileSecret } {
  const match = /^aesgcm:\/\/(([^/#\s]+)[^#\s]*)#([0-9a-f]+)$/i.exec(url);
  if (match === null) {
    throw new WireError('malformed-url', 'not an aesgcm URL');
  }
  const [, location, host, digits] = match as unknown as [string, string, string, string];
  const ivBytes = digits.length / 2 - KEY_BYTES;
  if (!ACCEPTED_IV_BYTES.includes(ivBytes)) {
    throw new WireError('malformed-url', 'the fragment is no IV and key');
  }
  const fragment = fromHex(digits);
  return {
    url: `${isPlainHost(host) ? 'http' : 'https'}://${location}`,
    secret: { iv: fragment.slice(0, ivBytes), key: fragment.slice(ivBytes) },
  };
}

function importKey(secret: FileSecret, use: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', secret.key, 'AES-GCM', false, [use]);
}

async function bytesOf(content: Blob | Uint8Array): Promise<OwnedBytes> {
  return content instanceof Uint8Array ? copy(content) : new Uint8Array(await content.arrayBuffer());
}
