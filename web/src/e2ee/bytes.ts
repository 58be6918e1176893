import { WireError } from './errors';

/** Bytes in a buffer of their own, as WebCrypto and IndexedDB want them. */
export type OwnedBytes = Uint8Array<ArrayBuffer>;

/** Joins byte strings into a new one. */
export function concat(...parts: readonly Uint8Array[]): OwnedBytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Copies bytes into a buffer that nobody else holds. */
export function copy(bytes: Uint8Array): OwnedBytes {
  return new Uint8Array(bytes);
}

/** Compares in a time that depends on the lengths only, never on where the first difference is. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) {
    return false;
  }
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) {
    difference |= (a[index] as number) ^ (b[index] as number);
  }
  return difference === 0;
}

/** Whether every byte is zero, in a time that depends on the length only. */
export function isZero(bytes: Uint8Array): boolean {
  let seen = 0;
  for (const byte of bytes) {
    seen |= byte;
  }
  return seen === 0;
}

/** Lower-case hexadecimal digits, two for each byte. */
export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) {
    hex += byte.toString(16).padStart(2, '0');
  }
  return hex;
}

/**
 * Reads hexadecimal digits of either case.
 *
 * @throws WireError `malformed-message` for an odd number of digits or any other character.
 */
export function fromHex(hex: string): OwnedBytes {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw new WireError('malformed-message', 'not a string of hexadecimal digits');
  }
  const bytes = new Uint8Array(hex.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

/** Base64 with padding (RFC 4648 section 4), as XML elements carry it. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // String.fromCharCode takes its input as arguments, whose number engines limit.
  for (let offset = 0; offset < bytes.length; offset += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(offset, offset + 0x8000));
  }
  return btoa(binary);
}

/**
 * Reads base64; white space between the characters is ignored, as XML Schema's base64Binary allows it.
 *
 * @throws WireError `malformed-message` for anything else that isn't base64.
 */
export function fromBase64(text: string): OwnedBytes {
  let binary: string;
  try {
    binary = atob(text.replace(/[\t\n\r ]+/g, ''));
  } catch (error) {
    throw new WireError('malformed-message', 'not base64', { cause: error });
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) {
    bytes[index] = binary.charCodeAt(index);
  }
  return bytes;
}

/** UTF-8 bytes of a string. */
export function toUtf8(text: string): OwnedBytes {
  return new TextEncoder().encode(text) as OwnedBytes;
}

/**
 * Reads UTF-8.
 *
 * @throws WireError `malformed-message` for bytes that are not UTF-8.
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new WireError('malformed-message', 'not UTF-8', { cause: error });
  }
}
