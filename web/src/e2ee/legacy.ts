import { concat } from './bytes';
import { WireError } from './errors';
import type { FormatSpec, KeyExchange, ParsedMessage, SealedPayload } from './format';
import { gcmDecrypt, gcmEncrypt, KEY_BYTES, randomBytes } from './primitives';
import { decode, encode, type Schema } from './protobuf';
import type { Header } from './ratchet';
import { signCurve25519, verifyCurve25519 } from './xeddsa';

/*
 * `eu.siacs.conversations.axolotl` (XEP-0384 0.3.0): libsignal's wire format, version 3, and a payload in AES-128-GCM
 * whose key and tag travel together through the sessions.
 */

// The message's version in the high half of the byte, the newest the sender knows in the low half.
const VERSION_BYTE = 0x33;
const MESSAGE_VERSION = 3;
const KEY_TYPE_CURVE25519 = 0x05;
const MAC_BYTES = 8;

const PAYLOAD_KEY_BYTES = 16;
const PAYLOAD_TAG_BYTES = 16;
const PAYLOAD_IV_BYTES = 12;

const SIGNAL_MESSAGE = { ratchetKey: 1, counter: 2, previousCounter: 3, ciphertext: 4 } as const;
const SIGNAL_MESSAGE_SCHEMA: Schema = { 1: 'bytes', 2: 'uint32', 3: 'uint32', 4: 'bytes' };

const PREKEY_MESSAGE = {
  preKeyId: 1,
  baseKey: 2,
  identityKey: 3,
  message: 4,
  registrationId: 5,
  signedPreKeyId: 6,
} as const;
const PREKEY_MESSAGE_SCHEMA: Schema = { 1: 'uint32', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'uint32', 6: 'uint32' };

function encodeKey(pub: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(KEY_TYPE_CURVE25519), pub);
}

function decodeKey(wire: Uint8Array): Uint8Array {
  if (wire.length !== KEY_BYTES + 1 || wire[0] !== KEY_TYPE_CURVE25519) {
    throw new WireError('malformed-message', 'not a Curve25519 key with its type byte');
  }
  return wire.slice(1);
}

function buildMessage(header: Header, ciphertext: Uint8Array, mac: (covered: Uint8Array) => Uint8Array): Uint8Array {
  const covered = concat(
    Uint8Array.of(VERSION_BYTE),
    encode([
      [SIGNAL_MESSAGE.ratchetKey, encodeKey(header.ratchetKey)],
      [SIGNAL_MESSAGE.counter, header.index],
      [SIGNAL_MESSAGE.previousCounter, toPreviousCounter(header.previous)],
      [SIGNAL_MESSAGE.ciphertext, ciphertext],
    ]),
  );
  return concat(covered, mac(covered));
}

function parseMessage(data: Uint8Array): ParsedMessage {
  checkVersion(data);
  if (data.length <= MAC_BYTES) {
    throw new WireError('malformed-message', 'message without a MAC');
  }
  const covered = data.slice(0, data.length - MAC_BYTES);
  const fields = decode(covered.subarray(1), SIGNAL_MESSAGE_SCHEMA);
  return {
    header: {
      ratchetKey: decodeKey(fields.bytes(SIGNAL_MESSAGE.ratchetKey)),
      previous: fromPreviousCounter(fields.uint32OrNull(SIGNAL_MESSAGE.previousCounter)),
      index: fields.uint32(SIGNAL_MESSAGE.counter),
    },
    ciphertext: fields.bytes(SIGNAL_MESSAGE.ciphertext),
    mac: data.slice(data.length - MAC_BYTES),
    covered,
  };
}

function buildKeyExchange(exchange: KeyExchange, deviceId: number, message: Uint8Array): Uint8Array {
  return concat(
    Uint8Array.of(VERSION_BYTE),
    encode([
      [PREKEY_MESSAGE.preKeyId, exchange.preKeyId],
      [PREKEY_MESSAGE.baseKey, encodeKey(exchange.baseKey)],
      [PREKEY_MESSAGE.identityKey, exchange.identityKey],
      [PREKEY_MESSAGE.message, message],
      [PREKEY_MESSAGE.registrationId, deviceId],
      [PREKEY_MESSAGE.signedPreKeyId, exchange.signedPreKeyId],
    ]),
  );
}

function parseKeyExchange(data: Uint8Array): { exchange: KeyExchange; message: Uint8Array } {
  checkVersion(data);
  const fields = decode(data.subarray(1), PREKEY_MESSAGE_SCHEMA);
  return {
    exchange: {
      preKeyId: fields.uint32(PREKEY_MESSAGE.preKeyId),
      signedPreKeyId: fields.uint32(PREKEY_MESSAGE.signedPreKeyId),
      baseKey: decodeKey(fields.bytes(PREKEY_MESSAGE.baseKey)),
      identityKey: fields.bytes(PREKEY_MESSAGE.identityKey),
    },
    message: fields.bytes(PREKEY_MESSAGE.message),
  };
}

function sealPayload(plaintext: Uint8Array | null): SealedPayload {
  const key = randomBytes(PAYLOAD_KEY_BYTES);
  const iv = randomBytes(PAYLOAD_IV_BYTES);
  if (plaintext === null) {
    return { material: key, iv, payload: null };
  }
  const sealed = gcmEncrypt(key, iv, plaintext);
  const tagAt = sealed.length - PAYLOAD_TAG_BYTES;
  return { material: concat(key, sealed.subarray(tagAt)), iv, payload: sealed.slice(0, tagAt) };
}

function openPayload(material: Uint8Array, iv: Uint8Array | null, payload: Uint8Array): Uint8Array {
  // Old clients left the tag at the end of the payload and sent the bare key.
  const isTagWithKey = material.length === PAYLOAD_KEY_BYTES + PAYLOAD_TAG_BYTES;
  if (!isTagWithKey && material.length !== PAYLOAD_KEY_BYTES) {
    throw new WireError('payload-corrupt', `key material of ${material.length} bytes`);
  }
  if (iv === null || (iv.length !== 12 && iv.length !== 16)) {
    throw new WireError('payload-corrupt', 'the IV is missing or has a strange size');
  }
  return gcmDecrypt(material.subarray(0, PAYLOAD_KEY_BYTES), iv, concat(payload, material.subarray(PAYLOAD_KEY_BYTES)));
}

/** libsignal sends the index of the previous chain's last message in place of its length, and 0 for an empty chain. */
function toPreviousCounter(length: number): number {
  return Math.max(length - 1, 0);
}

/** The opposite; some ports of libsignal send -1 for an empty chain. */
function fromPreviousCounter(counter: number | null): number {
  return counter === null ? 0 : (counter + 1) >>> 0;
}

function checkVersion(data: Uint8Array): void {
  const version = data[0];
  if (version === undefined) {
    throw new WireError('malformed-message', 'message is empty');
  }
  if (version >> 4 !== MESSAGE_VERSION) {
    throw new WireError('unsupported-version', `message version ${version >> 4}`);
  }
}

/** The session format of `eu.siacs.conversations.axolotl`. */
export const LEGACY: FormatSpec = {
  format: 'legacy',
  rootInfo: 'WhisperRatchet',
  messageInfo: 'WhisperMessageKeys',
  x3dhInfo: 'WhisperText',
  macBytes: MAC_BYTES,
  encodeKey,
  decodeKey,
  encodeIdentity: (identity) => encodeKey(identity.curve),
  decodeIdentity: decodeKey,
  sign: (identity, encodedKey) => signCurve25519(identity.priv, encodedKey),
  isSignatureValid: (bundle) =>
    verifyCurve25519(decodeKey(bundle.identityKey), bundle.signedPreKey, bundle.signedPreKeySignature),
  // libsignal's order, whoever began: the sender's identity first.
  associatedData: (sender, receiver) => concat(sender, receiver),
  buildMessage,
  parseMessage,
  buildKeyExchange,
  parseKeyExchange,
  sealPayload,
  openPayload,
};
