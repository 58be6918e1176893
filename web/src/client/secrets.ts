import { type FileSecret, fromHex, toHex } from '../e2ee';

const IV_BYTES = 12;

/** Nonce and key of an encrypted file as hexadecimal digits, in the order of an `aesgcm:` address. */
export function fragmentOf(secret: FileSecret): string {
  return toHex(secret.iv) + toHex(secret.key);
}

/** Reads what `fragmentOf` wrote. */
export function secretOf(fragment: string): FileSecret {
  const bytes = fromHex(fragment);
  return { iv: bytes.slice(0, IV_BYTES), key: bytes.slice(IV_BYTES) };
}
