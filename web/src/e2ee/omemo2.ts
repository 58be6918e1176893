import { concat, isEqual } from './bytes';
import { WireError } from './errors';
import type { FormatSpec, KeyExchange, ParsedMessage, SealedPayload } from './format';
import { cbcDecrypt, cbcEncrypt, hkdf, hmac, KEY_BYTES, randomBytes } from './primitives';
import { decode, encode, type Schema } from './protobuf';
import type { Header } from './ratchet';
import { ed25519ToCurve, signEd25519, verifyEd25519 } from './xeddsa';

/*
 * `urn:xmpp:omemo:2` (XEP-0384 0.8): its own protobuf messages, Ed25519 identity keys, and a payload in AES-256-CBC
 * with HMAC. The SCE envelope (XEP-0420) inside the payload is the caller's.
 */

const MAC_BYTES = 16;
const PAYLOAD_KEY_BYTES = 32;

const MESSAGE = { index: 1, previous: 2, ratchetKey: 3, ciphertext: 4 } as const;
const MESSAGE_SCHEMA: Schema = { 1: 'uint32', 2: 'uint32', 3: 'bytes', 4: 'bytes' };

const AUTHENTICATED = { mac: 1, message: 2 } as const;
const AUTHENTICATED_SCHEMA: Schema = { 1: 'bytes', 2: 'bytes' };

const EXCHANGE = { preKeyId: 1, signedPreKeyId: 2, identityKey: 3, baseKey: 4, message: 5 } as const;
const EXCHANGE_SCHEMA: Schema = { 1: 'uint32', 2: 'uint32', 3: 'bytes', 4: 'bytes', 5: 'bytes' };

function decodeKey(wire: Uint8Array): Uint8Array {
  if (wire.length !== KEY_BYTES) {
    throw new WireError('malformed-message', 'a key has 32 bytes');
  }
  return wire;
}

function buildMessage(header: Header, ciphertext: Uint8Array, mac: (covered: Uint8Array) => Uint8Array): Uint8Array {
  const covered = encode([
    [MESSAGE.index, header.index],
    [MESSAGE.previous, header.previous],
    [MESSAGE.ratchetKey, header.ratchetKey],
    [MESSAGE.ciphertext, ciphertext],
  ]);
  return encode([
    [AUTHENTICATED.mac, mac(covered)],
    [AUTHENTICATED.message, covered],
  ]);
}

function parseMessage(data: Uint8Array): ParsedMessage {
  const outer = decode(data, AUTHENTICATED_SCHEMA);
  const covered = outer.bytes(AUTHENTICATED.message);
  const fields = decode(covered, MESSAGE_SCHEMA);
  return {
    header: {
      ratchetKey: decodeKey(fields.bytes(MESSAGE.ratchetKey)),
      previous: fields.uint32(MESSAGE.previous),
      index: fields.uint32(MESSAGE.index),
    },
    ciphertext: fields.bytes(MESSAGE.ciphertext),
    mac: outer.bytes(AUTHENTICATED.mac),
    covered,
  };
}

function buildKeyExchange(exchange: KeyExchange, _deviceId: number, message: Uint8Array): Uint8Array {
  return encode([
    [EXCHANGE.preKeyId, exchange.preKeyId],
    [EXCHANGE.signedPreKeyId, exchange.signedPreKeyId],
    [EXCHANGE.identityKey, exchange.identityKey],
    [EXCHANGE.baseKey, exchange.baseKey],
    [EXCHANGE.message, message],
  ]);
}

function parseKeyExchange(data: Uint8Array): { exchange: KeyExchange; message: Uint8Array } {
  const fields = decode(data, EXCHANGE_SCHEMA);
  return {
    exchange: {
      preKeyId: fields.uint32(EXCHANGE.preKeyId),
      signedPreKeyId: fields.uint32(EXCHANGE.signedPreKeyId),
      baseKey: decodeKey(fields.bytes(EXCHANGE.baseKey)),
      identityKey: fields.bytes(EXCHANGE.identityKey),
    },
    message: fields.bytes(EXCHANGE.message),
  };
}

function sealPayload(plaintext: Uint8Array | null): SealedPayload {
  if (plaintext === null) {
    // XEP-0384 0.8 §4.4: an empty message transports 32 zero bytes.
    return { material: new Uint8Array(PAYLOAD_KEY_BYTES), iv: null, payload: null };
  }
  const key = randomBytes(PAYLOAD_KEY_BYTES);
  const { cipherKey, macKey, iv } = expandPayloadKey(key);
  const payload = cbcEncrypt(cipherKey, iv, plaintext);
  return { material: concat(key, hmac(macKey, payload).subarray(0, MAC_BYTES)), iv: null, payload };
}

function openPayload(material: Uint8Array, _iv: Uint8Array | null, payload: Uint8Array): Uint8Array {
  if (material.length !== PAYLOAD_KEY_BYTES + MAC_BYTES) {
    throw new WireError('payload-corrupt', `key material of ${material.length} bytes`);
  }
  const { cipherKey, macKey, iv } = expandPayloadKey(material.subarray(0, PAYLOAD_KEY_BYTES));
  const mac = hmac(macKey, payload).subarray(0, MAC_BYTES);
  if (!isEqual(mac, material.subarray(PAYLOAD_KEY_BYTES))) {
    throw new WireError('payload-corrupt', 'payload is not authentic');
  }
  return cbcDecrypt(cipherKey, iv, payload);
}

function expandPayloadKey(key: Uint8Array): { cipherKey: Uint8Array; macKey: Uint8Array; iv: Uint8Array } {
  const derived = hkdf(key, new Uint8Array(0), 'OMEMO Payload', 80);
  return { cipherKey: derived.slice(0, 32), macKey: derived.slice(32, 64), iv: derived.slice(64) };
}

/** The session format of `urn:xmpp:omemo:2`. */
export const OMEMO2: FormatSpec = {
  format: 'omemo2',
  rootInfo: 'OMEMO Root Chain',
  messageInfo: 'OMEMO Message Key Material',
  x3dhInfo: 'OMEMO X3DH',
  macBytes: MAC_BYTES,
  encodeKey: (pub) => pub,
  decodeKey,
  encodeIdentity: (identity) => identity.edwards,
  decodeIdentity: (wire) => ed25519ToCurve(decodeKey(wire)),
  sign: (identity, encodedKey) => signEd25519(identity.priv, encodedKey),
  isSignatureValid: (bundle) => verifyEd25519(bundle.identityKey, bundle.signedPreKey, bundle.signedPreKeySignature),
  // X3DH's associated data in both directions: the initiator's identity first.
  associatedData: (sender, receiver, isSenderInitiator) =>
    isSenderInitiator ? concat(sender, receiver) : concat(receiver, sender),
  buildMessage,
  parseMessage,
  buildKeyExchange,
  parseKeyExchange,
  sealPayload,
  openPayload,
};
