import { isEqual } from './bytes';
import { SessionError, WireError } from './errors';
import type { FormatSpec, Identity, KeyExchange, ParsedMessage } from './format';
import { cbcDecrypt, cbcEncrypt, generateKeyPair, hmac, type KeyPair, randomBytes } from './primitives';
import {
  advanceReceiving,
  advanceSending,
  knowsChain,
  type RatchetState,
  startReceiving,
  startSending,
} from './ratchet';
import type { Bundle, PublicPreKey } from './types';
import { secretOfInitiator, secretOfResponder } from './x3dh';

/*
 * A session is a ratchet between two identities. A device keeps several with the same other device: when both begin at
 * once, or one lost its state, messages of the older session are still on the way. The first is the one we send with;
 * whichever decrypts a message becomes the first, so that both sides settle on the same.
 */

/** Sessions with one device that are kept; the one that was used longest ago goes first. */
export const MAX_SESSIONS = 8;

/** XEP-0384 0.8 §6.2: the count of messages without an answer from which on an empty message is due. */
export const HEARTBEAT_INDEX = 53;

export interface Session {
  /** Identity keys in the format's encoding, for the associated data. */
  readonly localIdentity: Uint8Array;
  readonly remoteIdentity: Uint8Array;
  /** The other side's identity key as Curve25519, 32 bytes: what trust is about. */
  readonly remoteCurve: Uint8Array;
  readonly isInitiator: boolean;
  /** The initiator's ephemeral key: names the session. */
  readonly baseKey: Uint8Array;
  /** The key exchange that goes with every message until the other side answers. */
  readonly pending: { readonly preKeyId: number; readonly signedPreKeyId: number } | null;
  /** Whether this side has sent anything yet: if not, the other side still sends its key exchange. */
  readonly hasSent: boolean;
  /** Whether an answer was asked for since the receiving chain was opened. */
  readonly isHeartbeatAsked: boolean;
  readonly ratchet: RatchetState;
}

/** What comes out of one message. */
export interface Received {
  readonly session: Session;
  readonly material: Uint8Array;
  /** The other side waits for a message of ours. */
  readonly needsReply: boolean;
}

/**
 * Begins a session from a published bundle.
 *
 * @param choose Picks one of the bundle's prekeys; random unless a test says otherwise.
 * @throws WireError `malformed-bundle`, `bad-signature`, `weak-key`, `malformed-message` (a key's encoding).
 */
export function initiate(
  spec: FormatSpec,
  identity: Identity,
  bundle: Bundle,
  choose: (preKeys: readonly PublicPreKey[]) => PublicPreKey | undefined = chooseRandom,
): Session {
  if (!spec.isSignatureValid(bundle)) {
    throw new WireError('bad-signature', 'the signed prekey is not signed by the identity key');
  }
  const preKey = choose(bundle.preKeys);
  if (preKey === undefined) {
    throw new WireError('malformed-bundle', 'the bundle has no one-time prekeys');
  }
  const base = generateKeyPair();
  const signedPreKey = spec.decodeKey(bundle.signedPreKey);
  const remoteCurve = spec.decodeIdentity(bundle.identityKey);
  const secret = secretOfInitiator(spec.x3dhInfo, identity.priv, base, {
    identity: remoteCurve,
    signedPreKey,
    preKey: spec.decodeKey(preKey.key),
  });
  return {
    localIdentity: spec.encodeIdentity(identity),
    remoteIdentity: bundle.identityKey,
    remoteCurve,
    isInitiator: true,
    baseKey: base.pub,
    pending: { preKeyId: preKey.id, signedPreKeyId: bundle.signedPreKeyId },
    hasSent: false,
    isHeartbeatAsked: false,
    ratchet: startSending(spec, secret, signedPreKey, generateKeyPair()),
  };
}

/**
 * The other end of `initiate`, from the key exchange of a received message.
 *
 * @throws WireError `weak-key`, `malformed-message`.
 */
export function respond(
  spec: FormatSpec,
  identity: Identity,
  exchange: KeyExchange,
  signedPreKey: KeyPair,
  preKey: KeyPair,
): Session {
  const remoteCurve = spec.decodeIdentity(exchange.identityKey);
  const secret = secretOfResponder(
    spec.x3dhInfo,
    { identityPriv: identity.priv, signedPreKeyPriv: signedPreKey.priv, preKeyPriv: preKey.priv },
    { identity: remoteCurve, baseKey: exchange.baseKey },
  );
  return {
    localIdentity: spec.encodeIdentity(identity),
    remoteIdentity: exchange.identityKey,
    remoteCurve,
    isInitiator: false,
    baseKey: exchange.baseKey,
    pending: null,
    hasSent: false,
    isHeartbeatAsked: false,
    ratchet: startReceiving(secret, signedPreKey),
  };
}

/** Encrypts key material to the other side of a session. */
export function send(
  spec: FormatSpec,
  session: Session,
  deviceId: number,
  material: Uint8Array,
): { session: Session; data: Uint8Array; preKey: boolean } {
  const { state, header, keys } = advanceSending(spec, session.ratchet);
  const associated = spec.associatedData(session.localIdentity, session.remoteIdentity, session.isInitiator);
  const ciphertext = cbcEncrypt(keys.cipherKey, keys.iv, material);
  const message = spec.buildMessage(header, ciphertext, (covered) => mac(spec, keys.macKey, associated, covered));
  const after: Session = { ...session, ratchet: state, hasSent: true };
  if (session.pending === null) {
    return { session: after, data: message, preKey: false };
  }
  const exchange = { ...session.pending, baseKey: session.baseKey, identityKey: session.localIdentity };
  return { session: after, data: spec.buildKeyExchange(exchange, deviceId, message), preKey: true };
}

/**
 * Decrypts key material with one session.
 *
 * @throws SessionError `bad-mac`, `duplicate-message`, `too-many-skipped`.
 * @throws WireError `weak-key`, `malformed-message`.
 */
export function receive(spec: FormatSpec, session: Session, message: ParsedMessage): Received {
  const before = session.ratchet;
  const { state, keys } = advanceReceiving(spec, before, message.header, generateKeyPair);
  const associated = spec.associatedData(session.remoteIdentity, session.localIdentity, !session.isInitiator);
  if (!isEqual(mac(spec, keys.macKey, associated, message.covered), message.mac)) {
    throw new SessionError('bad-mac', 'the message does not belong to this session or was changed');
  }
  const material = cbcDecrypt(keys.cipherKey, keys.iv, message.ciphertext);
  const hasTurned = before.remoteKey === null || before.own.pub !== state.own.pub;
  const isHeartbeatAsked = session.isHeartbeatAsked && !hasTurned;
  const isHeartbeatDue = !isHeartbeatAsked && message.header.index >= HEARTBEAT_INDEX;
  const isUnanswered = !session.isInitiator && !session.hasSent;
  return {
    session: { ...session, pending: null, isHeartbeatAsked: isHeartbeatAsked || isHeartbeatDue, ratchet: state },
    material,
    needsReply: isHeartbeatDue || isUnanswered,
  };
}

/** Puts a session in front of the others. */
export function promote(sessions: readonly Session[], session: Session): readonly Session[] {
  const others = sessions.filter((other) => !isEqual(other.baseKey, session.baseKey));
  return [session, ...others].slice(0, MAX_SESSIONS);
}

/** The session that a key exchange has already built here. */
export function findByExchange(sessions: readonly Session[], exchange: KeyExchange): Session | undefined {
  return sessions.find((session) => !session.isInitiator && isEqual(session.baseKey, exchange.baseKey));
}

/**
 * Decrypts with whichever session fits, the likely ones first.
 *
 * @throws SessionError `no-session` without any, else the most telling of the failures.
 */
export function receiveWithAny(spec: FormatSpec, sessions: readonly Session[], message: ParsedMessage): Received {
  const known = sessions.filter((session) => knowsChain(session.ratchet, message.header.ratchetKey));
  const candidates = known.length > 0 ? known : sessions;
  let failure: unknown = new SessionError('no-session', 'there is no session with the sender');
  for (const session of candidates) {
    try {
      return receive(spec, session, message);
    } catch (error) {
      failure = worse(failure, error);
    }
  }
  throw failure;
}

const RANK = ['no-session', 'weak-key', 'malformed-message', 'bad-mac', 'too-many-skipped', 'duplicate-message'];

function worse(a: unknown, b: unknown): unknown {
  return rank(b) >= rank(a) ? b : a;
}

function rank(error: unknown): number {
  // A programming error must not be hidden behind another session's failure.
  const isOurs = error instanceof SessionError || error instanceof WireError;
  return isOurs ? RANK.indexOf(error.code) : Number.POSITIVE_INFINITY;
}

function mac(spec: FormatSpec, key: Uint8Array, associated: Uint8Array, covered: Uint8Array): Uint8Array {
  const input = new Uint8Array(associated.length + covered.length);
  input.set(associated);
  input.set(covered, associated.length);
  return hmac(key, input).slice(0, spec.macBytes);
}

function chooseRandom(preKeys: readonly PublicPreKey[]): PublicPreKey | undefined {
  if (preKeys.length === 0) {
    return undefined;
  }
  const random = randomBytes(4);
  // 32 random bits over a few hundred keys: the bias is below one in ten million.
  return preKeys[new DataView(random.buffer, random.byteOffset).getUint32(0) % preKeys.length];
}
