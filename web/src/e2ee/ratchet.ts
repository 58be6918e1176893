import { isEqual } from './bytes';
import { SessionError } from './errors';
import { agree, hkdf, hmac, type KeyPair } from './primitives';

/*
 * The double ratchet (Signal, "The Double Ratchet Algorithm", revision 1) as a pure state machine: each function takes
 * a state and returns a new one, never touching the old. Whoever calls commits the new state only after the message's
 * MAC was verified, so a forged or foreign message leaves no trace.
 *
 * A chain that the other side has replaced is closed at once: the keys of its messages that are still on the way are
 * set aside, the chain key is forgotten.
 */

/** Message keys set aside for one message at most, in one chain. A gap that is larger is refused. */
export const MAX_SKIPPED_PER_MESSAGE = 1000;
/** Message keys set aside in a session at most; the oldest go first. */
export const MAX_SKIPPED_TOTAL = 2000;
/**
 * Closed chains that are remembered: their late messages are decrypted, and a late duplicate is told from a forgery.
 * With the oldest chain its skipped keys go too.
 */
export const MAX_RETIRED_CHAINS = 64;

// Section 7.2 of the specification; libsignal's and OMEMO's constants are the same.
const MESSAGE_KEY_SEED = Uint8Array.of(0x01);
const CHAIN_KEY_SEED = Uint8Array.of(0x02);

/** What differs between the formats. */
export interface RatchetParams {
  /** HKDF info of the root chain. */
  readonly rootInfo: string;
  /** HKDF info that turns a message key into cipher key, MAC key and IV. */
  readonly messageInfo: string;
}

/** The position of a message in the conversation. */
export interface Header {
  /** The sender's current ratchet public key, Curve25519, 32 bytes. */
  readonly ratchetKey: Uint8Array;
  /** Number of messages in the sender's previous chain, as announced. */
  readonly previous: number;
  /** Index of the message in its chain, from 0. */
  readonly index: number;
}

export interface Chain {
  readonly key: Uint8Array;
  /** Index of the next message. */
  readonly index: number;
}

export interface SkippedKey {
  readonly ratchetKey: Uint8Array;
  readonly index: number;
  readonly key: Uint8Array;
}

/** Plain data; never changed after it was made. */
export interface RatchetState {
  readonly rootKey: Uint8Array;
  readonly own: KeyPair;
  readonly remoteKey: Uint8Array | null;
  readonly sending: Chain | null;
  readonly receiving: Chain | null;
  /** Length of our previous sending chain. */
  readonly previousLength: number;
  /** Oldest first. */
  readonly skipped: readonly SkippedKey[];
  /** Ratchet keys of closed chains, oldest first. */
  readonly retired: readonly Uint8Array[];
}

/** The keys of one message. */
export interface MessageKeys {
  /** AES-256 key, 32 bytes. */
  readonly cipherKey: Uint8Array;
  /** HMAC key, 32 bytes. */
  readonly macKey: Uint8Array;
  /** 16 bytes. */
  readonly iv: Uint8Array;
}

/** The initiator's first state: can send at once. */
export function startSending(
  params: RatchetParams,
  secret: Uint8Array,
  remoteKey: Uint8Array,
  own: KeyPair,
): RatchetState {
  const [rootKey, chainKey] = stepRoot(params, secret, agree(own.priv, remoteKey));
  return {
    rootKey,
    own,
    remoteKey,
    sending: { key: chainKey, index: 0 },
    receiving: null,
    previousLength: 0,
    skipped: [],
    retired: [],
  };
}

/** The responder's first state: its ratchet key is the signed prekey, and it has to receive before it can send. */
export function startReceiving(secret: Uint8Array, signedPreKey: KeyPair): RatchetState {
  return {
    rootKey: secret,
    own: signedPreKey,
    remoteKey: null,
    sending: null,
    receiving: null,
    previousLength: 0,
    skipped: [],
    retired: [],
  };
}

/**
 * Takes the next key to send with.
 *
 * @throws SessionError `no-session` if this side has to receive first.
 */
export function advanceSending(
  params: RatchetParams,
  state: RatchetState,
): { state: RatchetState; header: Header; keys: MessageKeys } {
  if (state.sending === null) {
    throw new SessionError('no-session', 'the responder has to receive before it can send');
  }
  const [messageKey, sending] = stepChain(state.sending);
  return {
    state: { ...state, sending },
    header: { ratchetKey: state.own.pub, previous: state.previousLength, index: state.sending.index },
    keys: expand(params, messageKey),
  };
}

/**
 * Takes the key of a received message, whatever order messages come in.
 *
 * @param fresh Makes the key pair of our next sending chain; called only if the message opens a new chain.
 * @throws SessionError `duplicate-message` if that key was used before, `too-many-skipped` if the gap is too large.
 * @throws WireError `weak-key` for a ratchet key that gives an all-zero secret.
 */
export function advanceReceiving(
  params: RatchetParams,
  state: RatchetState,
  header: Header,
  fresh: () => KeyPair,
): { state: RatchetState; keys: MessageKeys } {
  const aside = state.skipped.findIndex((skipped) => isSamePosition(skipped, header));
  if (aside >= 0) {
    const skipped = state.skipped.filter((_, index) => index !== aside);
    return { state: { ...state, skipped }, keys: expand(params, (state.skipped[aside] as SkippedKey).key) };
  }
  if (state.retired.some((key) => isEqual(key, header.ratchetKey))) {
    throw new SessionError('duplicate-message', 'the chain of this message is closed and its key is used up');
  }
  const isCurrent = state.remoteKey !== null && isEqual(state.remoteKey, header.ratchetKey);
  const turned = isCurrent ? state : turn(params, state, header, fresh);
  return takeFromChain(params, turned, header);
}

/** Whether a message's chain is one that this session has seen: the cheap hint for which session it belongs to. */
export function knowsChain(state: RatchetState, ratchetKey: Uint8Array): boolean {
  return (
    (state.remoteKey !== null && isEqual(state.remoteKey, ratchetKey)) ||
    state.skipped.some((skipped) => isEqual(skipped.ratchetKey, ratchetKey)) ||
    state.retired.some((key) => isEqual(key, ratchetKey))
  );
}

function takeFromChain(
  params: RatchetParams,
  state: RatchetState,
  header: Header,
): { state: RatchetState; keys: MessageKeys } {
  const receiving = state.receiving;
  if (receiving === null) {
    // Only the initiator before its first answer: its remote key is a signed prekey, with which nobody sends.
    throw new SessionError('bad-mac', 'message under a key that sends no messages');
  }
  if (header.index < receiving.index) {
    throw new SessionError('duplicate-message', 'the key of this message is used up');
  }
  if (header.index - receiving.index > MAX_SKIPPED_PER_MESSAGE) {
    throw new SessionError('too-many-skipped', `${header.index - receiving.index} messages are missing`);
  }
  const [passed, chain] = skip(receiving, header.ratchetKey, header.index);
  const [messageKey, next] = stepChain(chain);
  return {
    state: { ...state, receiving: next, skipped: capped([...state.skipped, ...passed]) },
    keys: expand(params, messageKey),
  };
}

/** The Diffie-Hellman ratchet step: closes the receiving chain and opens a pair of new ones. */
function turn(params: RatchetParams, state: RatchetState, header: Header, fresh: () => KeyPair): RatchetState {
  const closed = close(state, header);
  const [receivingRoot, receivingKey] = stepRoot(params, state.rootKey, agree(state.own.priv, header.ratchetKey));
  const own = fresh();
  const [rootKey, sendingKey] = stepRoot(params, receivingRoot, agree(own.priv, header.ratchetKey));
  return {
    rootKey,
    own,
    remoteKey: header.ratchetKey,
    sending: { key: sendingKey, index: 0 },
    receiving: { key: receivingKey, index: 0 },
    previousLength: state.sending?.index ?? 0,
    skipped: closed.skipped,
    retired: closed.retired,
  };
}

function close(
  state: RatchetState,
  header: Header,
): { skipped: readonly SkippedKey[]; retired: readonly Uint8Array[] } {
  if (state.remoteKey === null || state.receiving === null) {
    return { skipped: state.skipped, retired: state.retired };
  }
  // A larger gap than we are willing to compute must not block the session for ever: the rest is given up.
  const end = Math.min(header.previous, state.receiving.index + MAX_SKIPPED_PER_MESSAGE);
  const [passed] = skip(state.receiving, state.remoteKey, end);
  const retired = [...state.retired, state.remoteKey];
  const forgotten = retired.slice(0, -MAX_RETIRED_CHAINS);
  const skipped = [...state.skipped, ...passed].filter(
    ({ ratchetKey }) => !forgotten.some((key) => isEqual(key, ratchetKey)),
  );
  return { skipped: capped(skipped), retired: retired.slice(-MAX_RETIRED_CHAINS) };
}

function skip(chain: Chain, ratchetKey: Uint8Array, end: number): [SkippedKey[], Chain] {
  const passed: SkippedKey[] = [];
  let current = chain;
  while (current.index < end) {
    const [key, next] = stepChain(current);
    passed.push({ ratchetKey, index: current.index, key });
    current = next;
  }
  return [passed, current];
}

function capped(skipped: readonly SkippedKey[]): readonly SkippedKey[] {
  return skipped.length > MAX_SKIPPED_TOTAL ? skipped.slice(-MAX_SKIPPED_TOTAL) : skipped;
}

function stepRoot(params: RatchetParams, rootKey: Uint8Array, shared: Uint8Array): [Uint8Array, Uint8Array] {
  const derived = hkdf(shared, rootKey, params.rootInfo, 64);
  return [derived.slice(0, 32), derived.slice(32)];
}

function stepChain(chain: Chain): [Uint8Array, Chain] {
  return [hmac(chain.key, MESSAGE_KEY_SEED), { key: hmac(chain.key, CHAIN_KEY_SEED), index: chain.index + 1 }];
}

function expand(params: RatchetParams, messageKey: Uint8Array): MessageKeys {
  const derived = hkdf(messageKey, new Uint8Array(0), params.messageInfo, 80);
  return { cipherKey: derived.slice(0, 32), macKey: derived.slice(32, 64), iv: derived.slice(64) };
}

function isSamePosition(skipped: SkippedKey, header: Header): boolean {
  return skipped.index === header.index && isEqual(skipped.ratchetKey, header.ratchetKey);
}
