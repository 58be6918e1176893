import type { FormatSpec, Identity } from './format';
import { generateKeyPair, type KeyPair } from './primitives';
import type { Bundle, Format } from './types';
import { toEd25519Public } from './xeddsa';

/** One-time prekeys that are offered at any time. */
export const PREKEY_COUNT = 100;
/** Age at which the signed prekey is replaced: one week. */
export const SIGNED_PREKEY_ROTATION_MS = 7 * 24 * 3600 * 1000;
/** How long a replaced signed prekey still opens sessions: four weeks, for messages and bundles that were on the way. */
export const SIGNED_PREKEY_GRACE_MS = 28 * 24 * 3600 * 1000;
/** How long a used prekey may outlive a catch-up that was never ended. */
export const USED_PREKEY_GRACE_MS = 7 * 24 * 3600 * 1000;
/** Used prekeys that are kept during a catch-up at most; the oldest go first. */
export const MAX_USED_PREKEYS = 500;

// libsignal keeps prekey ids in 24 bits and never uses 0.
const MAX_PREKEY_ID = 0xff_fffe;

export interface SignedPreKey {
  readonly id: number;
  readonly pair: KeyPair;
  /** By the identity key over the encoded public key. */
  readonly signature: Uint8Array;
  readonly createdMs: number;
  /** When a newer one took its place; null for the current one. */
  readonly retiredMs: number | null;
}

export interface PreKey {
  readonly id: number;
  readonly pair: KeyPair;
  /** When it was used while a catch-up was going on, so that it is still kept; null when it is on offer. */
  readonly usedMs: number | null;
}

/** The prekeys of one format. Plain data; functions here return new ones. */
export interface KeyRing {
  readonly format: Format;
  /** The current one first. */
  readonly signedPreKeys: readonly SignedPreKey[];
  readonly preKeys: readonly PreKey[];
  readonly nextPreKeyId: number;
  /** Counts changes of what is to be published. */
  readonly revision: number;
  /** The revision that the caller has published; 0 for none. */
  readonly publishedRevision: number;
}

/** All forms of an identity from its Curve25519 key pair. */
export function identityOf(pair: KeyPair): Identity {
  return { priv: pair.priv, curve: pair.pub, edwards: toEd25519Public(pair.priv) };
}

/** Fresh prekeys. */
export function createKeyRing(spec: FormatSpec, identity: Identity, nowMs: number): KeyRing {
  return refill({
    format: spec.format,
    signedPreKeys: [makeSignedPreKey(spec, identity, 1, nowMs)],
    preKeys: [],
    nextPreKeyId: 1,
    revision: 1,
    publishedRevision: 0,
  });
}

/** What is to be published. */
export function bundleOf(spec: FormatSpec, identity: Identity, deviceId: number, ring: KeyRing): Bundle {
  const signed = currentSignedPreKey(ring);
  return {
    deviceId,
    identityKey: spec.encodeIdentity(identity),
    signedPreKeyId: signed.id,
    signedPreKey: spec.encodeKey(signed.pair.pub),
    signedPreKeySignature: signed.signature,
    preKeys: ring.preKeys
      .filter((preKey) => preKey.usedMs === null)
      .map((preKey) => ({ id: preKey.id, key: spec.encodeKey(preKey.pair.pub) })),
  };
}

/** The signed prekey of an id, also a replaced one in its time of grace. */
export function findSignedPreKey(ring: KeyRing, id: number, nowMs: number): SignedPreKey | undefined {
  return ring.signedPreKeys.find((signed) => signed.id === id && !isExpired(signed, nowMs));
}

/** The one-time prekey of an id, also a used one that is still kept. */
export function findPreKey(ring: KeyRing, id: number): PreKey | undefined {
  return ring.preKeys.find((preKey) => preKey.id === id);
}

/**
 * Takes a one-time prekey from the offer and puts a new one in its place.
 *
 * @param isKept Whether it stays usable until `forgetUsedPreKeys` (XEP-0384 0.8 §6.1: during archive catch-up).
 */
export function usePreKey(ring: KeyRing, id: number, isKept: boolean, nowMs: number): KeyRing {
  const preKey = findPreKey(ring, id);
  if (preKey === undefined || (preKey.usedMs !== null && isKept)) {
    return ring;
  }
  const others = ring.preKeys.filter((other) => other.id !== id);
  const kept = isKept ? [...others, { ...preKey, usedMs: nowMs }] : others;
  return refill({ ...ring, preKeys: withoutOldestUsed(kept), revision: ring.revision + 1 });
}

/** Deletes the used one-time prekeys that were used before a time, in milliseconds since the epoch. */
export function forgetUsedPreKeys(ring: KeyRing, beforeMs: number): KeyRing {
  const preKeys = ring.preKeys.filter((preKey) => preKey.usedMs === null || preKey.usedMs > beforeMs);
  return preKeys.length === ring.preKeys.length ? ring : { ...ring, preKeys };
}

/** Replaces the signed prekey if it is due, and deletes what is past its grace. Returns the same ring if nothing is. */
export function maintain(spec: FormatSpec, identity: Identity, ring: KeyRing, nowMs: number): KeyRing {
  const pruned = prune(forgetUsedPreKeys(ring, nowMs - USED_PREKEY_GRACE_MS), nowMs);
  const [current, ...older] = pruned.signedPreKeys;
  if (current === undefined || nowMs - current.createdMs < SIGNED_PREKEY_ROTATION_MS) {
    return pruned;
  }
  const next = makeSignedPreKey(spec, identity, (current.id % MAX_PREKEY_ID) + 1, nowMs);
  const retired = { ...current, retiredMs: nowMs };
  return { ...pruned, signedPreKeys: [next, retired, ...older], revision: ring.revision + 1 };
}

function currentSignedPreKey(ring: KeyRing): SignedPreKey {
  return ring.signedPreKeys[0] as SignedPreKey;
}

function prune(ring: KeyRing, nowMs: number): KeyRing {
  const signedPreKeys = ring.signedPreKeys.filter((signed) => !isExpired(signed, nowMs));
  return signedPreKeys.length === ring.signedPreKeys.length ? ring : { ...ring, signedPreKeys };
}

function isExpired(signed: SignedPreKey, nowMs: number): boolean {
  return signed.retiredMs !== null && nowMs - signed.retiredMs > SIGNED_PREKEY_GRACE_MS;
}

function makeSignedPreKey(spec: FormatSpec, identity: Identity, id: number, nowMs: number): SignedPreKey {
  const pair = generateKeyPair();
  return { id, pair, signature: spec.sign(identity, spec.encodeKey(pair.pub)), createdMs: nowMs, retiredMs: null };
}

function refill(ring: KeyRing): KeyRing {
  const preKeys = [...ring.preKeys];
  const taken = new Set(preKeys.map((preKey) => preKey.id));
  let id = ring.nextPreKeyId;
  let offered = preKeys.filter((preKey) => preKey.usedMs === null).length;
  while (offered < PREKEY_COUNT) {
    if (!taken.has(id)) {
      preKeys.push({ id, pair: generateKeyPair(), usedMs: null });
      offered += 1;
    }
    id = (id % MAX_PREKEY_ID) + 1;
  }
  return { ...ring, preKeys, nextPreKeyId: id };
}

function withoutOldestUsed(preKeys: readonly PreKey[]): readonly PreKey[] {
  const used = preKeys.filter((preKey) => preKey.usedMs !== null);
  const dropped = new Set(used.slice(0, Math.max(0, used.length - MAX_USED_PREKEYS)).map((preKey) => preKey.id));
  return dropped.size === 0 ? preKeys : preKeys.filter((preKey) => !dropped.has(preKey.id));
}
