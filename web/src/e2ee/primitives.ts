import { cbc, gcm } from '@noble/ciphers/aes.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { isZero } from './bytes';
import { WireError } from './errors';

/** Size of a Curve25519 or Ed25519 key, in bytes. */
export const KEY_BYTES = 32;

/** A Curve25519 key pair; both halves 32 bytes. */
export interface KeyPair {
  readonly priv: Uint8Array;
  readonly pub: Uint8Array;
}

/** Bytes from the platform's cryptographic random generator. */
export function randomBytes(size: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(size));
}

/** A fresh Curve25519 key pair, its private key clamped (RFC 7748 section 5). */
export function generateKeyPair(): KeyPair {
  return keyPairOf(clamp(randomBytes(KEY_BYTES)));
}

/** The key pair of a 32-byte Curve25519 private key. */
export function keyPairOf(priv: Uint8Array): KeyPair {
  return { priv, pub: x25519.getPublicKey(priv) };
}

/** Sets and clears the bits that RFC 7748 section 5 names, in a copy. */
export function clamp(priv: Uint8Array): Uint8Array {
  const clamped = new Uint8Array(priv);
  clamped[0] = (clamped[0] as number) & 248;
  clamped[31] = ((clamped[31] as number) & 127) | 64;
  return clamped;
}

/**
 * X25519.
 *
 * @returns 32 bytes that are never all zero.
 * @throws WireError `weak-key` if the public key is one of those that give an all-zero secret whatever the private key
 * is (RFC 7748 section 6.1), or has another size than 32 bytes.
 */
export function agree(priv: Uint8Array, pub: Uint8Array): Uint8Array {
  let shared: Uint8Array;
  try {
    shared = x25519.getSharedSecret(priv, pub);
  } catch (error) {
    throw new WireError('weak-key', 'public key refused', { cause: error });
  }
  // The library refuses these too; what everything rests on is not left to a dependency's default.
  if (isZero(shared)) {
    throw new WireError('weak-key', 'all-zero shared secret');
  }
  return shared;
}

/** HKDF with SHA-256 (RFC 5869); an empty salt means 32 zero bytes. */
export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: string, size: number): Uint8Array {
  return nobleHkdf(sha256, ikm, salt.length === 0 ? undefined : salt, new TextEncoder().encode(info), size);
}

/** HMAC with SHA-256, 32 bytes. */
export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  return nobleHmac(sha256, key, data);
}

/** AES-256-CBC with PKCS #7 padding. */
export function cbcEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return cbc(key, iv).encrypt(plaintext);
}

/**
 * AES-256-CBC with PKCS #7 padding. Only ever called after the MAC was verified, so the padding is no oracle.
 *
 * @throws WireError `malformed-message` for a wrong size or padding.
 */
export function cbcDecrypt(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  try {
    return cbc(key, iv).decrypt(ciphertext);
  } catch (error) {
    throw new WireError('malformed-message', 'bad block cipher padding', { cause: error });
  }
}

/** AES-GCM with the key's size; the last 16 bytes of the result are the tag. */
export function gcmEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return gcm(key, iv).encrypt(plaintext);
}

/**
 * AES-GCM of a ciphertext that ends with its 16-byte tag.
 *
 * @throws WireError `payload-corrupt` if the tag doesn't fit.
 */
export function gcmDecrypt(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array {
  try {
    return gcm(key, iv).decrypt(sealed);
  } catch (error) {
    throw new WireError('payload-corrupt', 'payload is not authentic', { cause: error });
  }
}
