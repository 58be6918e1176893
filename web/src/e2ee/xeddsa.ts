import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat } from './bytes';
import { WireError } from './errors';
import { KEY_BYTES, randomBytes } from './primitives';

/*
 * Signatures by Curve25519 keys, on Ed25519's arithmetic (XEdDSA, Signal, revision 1, sections 2.3 and 2.5).
 *
 * A Curve25519 public key doesn't say which of two Edwards points it stands for. XEdDSA proper negates the private key
 * until the sign is 0; libsignal, and with it every deployed OMEMO client, leaves the key alone and keeps the sign in
 * the top bit of the signature, which is always free because the scalar there is less than 2^253. Both kinds verify
 * by reading that bit.
 */

const SIGNATURE_BYTES = 64;
const NONCE_BYTES = 64;
const SIGN_BIT = 0x80;

const { Point } = ed25519;
const { Fp, Fn } = Point;

/** The Ed25519 public key whose private scalar is this (clamped) Curve25519 private key. */
export function toEd25519Public(priv: Uint8Array): Uint8Array {
  return Point.BASE.multiply(scalarOf(priv)).toBytes();
}

/**
 * An Ed25519 signature under `toEd25519Public(priv)`: any Ed25519 implementation verifies it.
 *
 * @param priv Clamped Curve25519 private key, 32 bytes.
 * @param message Any bytes.
 * @param nonce 64 random bytes; only tests pass them.
 * @returns 64 bytes.
 */
export function signEd25519(priv: Uint8Array, message: Uint8Array, nonce = randomBytes(NONCE_BYTES)): Uint8Array {
  const scalar = scalarOf(priv);
  const pub = Point.BASE.multiply(scalar).toBytes();
  // XEdDSA section 2.5, hash_1: 2^256 - 2 in little endian keeps this hash apart from Ed25519's own.
  const prefix = new Uint8Array(KEY_BYTES).fill(0xff);
  prefix[0] = 0xfe;
  const r = hashToScalar(prefix, priv, message, nonce);
  const commitment = Point.BASE.multiply(r).toBytes();
  const challenge = hashToScalar(commitment, pub, message);
  const response = Fn.add(r, Fn.mul(challenge, scalar));
  return concat(commitment, Fn.toBytes(response));
}

/** Signs with a Curve25519 private key in libsignal's way: the sign of the Edwards point in the top bit. */
export function signCurve25519(priv: Uint8Array, message: Uint8Array, nonce = randomBytes(NONCE_BYTES)): Uint8Array {
  const signature = signEd25519(priv, message, nonce);
  const sign = (toEd25519Public(priv)[31] as number) & SIGN_BIT;
  signature[63] = (signature[63] as number) | sign;
  return signature;
}

/** Verifies a plain Ed25519 signature (RFC 8032 section 5.1.7, canonical encodings only). Never throws. */
export function verifyEd25519(pub: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || pub.length !== KEY_BYTES) {
    return false;
  }
  try {
    return ed25519.verify(signature, message, pub, { zip215: false });
  } catch {
    return false;
  }
}

/** Verifies a signature made by a Curve25519 key, with or without libsignal's sign bit. Never throws. */
export function verifyCurve25519(pub: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) {
    return false;
  }
  const last = signature[63] as number;
  const plain = new Uint8Array(signature);
  plain[63] = last & ~SIGN_BIT;
  try {
    return verifyEd25519(curveToEd25519(pub, (last & SIGN_BIT) !== 0), message, plain);
  } catch {
    return false;
  }
}

/**
 * The Edwards form of a Curve25519 public key: y = (u - 1) / (u + 1), with the sign of x given.
 *
 * @throws WireError `weak-key` if there is none (u = -1) or the key isn't 32 bytes.
 */
export function curveToEd25519(pub: Uint8Array, sign: boolean): Uint8Array {
  if (pub.length !== KEY_BYTES) {
    throw new WireError('weak-key', 'a Curve25519 key has 32 bytes');
  }
  // RFC 7748 section 5: the top bit of u is ignored, and u is taken modulo p.
  const masked = new Uint8Array(pub);
  masked[31] = (masked[31] as number) & ~SIGN_BIT;
  const u = Fp.create(littleEndian(masked));
  const denominator = Fp.add(u, Fp.ONE);
  if (Fp.is0(denominator)) {
    throw new WireError('weak-key', 'key has no Edwards form');
  }
  const encoded = Fp.toBytes(Fp.div(Fp.sub(u, Fp.ONE), denominator));
  encoded[31] = (encoded[31] as number) | (sign ? SIGN_BIT : 0);
  return encoded;
}

/**
 * The Curve25519 form of an Ed25519 public key: u = (1 + y) / (1 - y).
 *
 * @throws WireError `weak-key` if the bytes are no point of the prime-order group.
 */
export function ed25519ToCurve(pub: Uint8Array): Uint8Array {
  try {
    const point = Point.fromBytes(pub);
    if (point.isSmallOrder() || !point.isTorsionFree()) {
      throw new WireError('weak-key', 'key is not of prime order');
    }
    return ed25519.utils.toMontgomery(pub);
  } catch (error) {
    throw new WireError('weak-key', 'not an Ed25519 public key', { cause: error });
  }
}

function scalarOf(priv: Uint8Array): bigint {
  return Fn.create(littleEndian(priv));
}

function hashToScalar(...parts: Uint8Array[]): bigint {
  return Fn.create(littleEndian(sha512(concat(...parts))));
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    value = (value << 8n) | BigInt(bytes[index] as number);
  }
  return value;
}
