import type { Header, RatchetParams } from './ratchet';
import type { Bundle, Format } from './types';

/** Our long-term identity, in all its forms. */
export interface Identity {
  /** Clamped Curve25519 private key, 32 bytes. */
  readonly priv: Uint8Array;
  /** Curve25519, 32 bytes. */
  readonly curve: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly edwards: Uint8Array;
}

/** A ratchet message taken apart. */
export interface ParsedMessage {
  readonly header: Header;
  readonly ciphertext: Uint8Array;
  readonly mac: Uint8Array;
  /** The bytes that the MAC covers after the associated data, exactly as received. */
  readonly covered: Uint8Array;
}

/** The key exchange in front of the first messages of a session. */
export interface KeyExchange {
  readonly preKeyId: number;
  readonly signedPreKeyId: number;
  /** The initiator's ephemeral key, Curve25519, 32 bytes. */
  readonly baseKey: Uint8Array;
  /** The initiator's identity key in the format's encoding. */
  readonly identityKey: Uint8Array;
}

/** A payload and the secret that opens it. */
export interface SealedPayload {
  /** What each device gets through its session. */
  readonly material: Uint8Array;
  readonly iv: Uint8Array | null;
  readonly payload: Uint8Array | null;
}

/** Everything in which the two formats differ. One constant of this type per format; nothing else branches on it. */
export interface FormatSpec extends RatchetParams {
  readonly format: Format;
  /** HKDF info of X3DH. */
  readonly x3dhInfo: string;
  /** Size of a truncated message MAC, in bytes. */
  readonly macBytes: number;
  /** A Curve25519 prekey or ratchet key on the wire. */
  encodeKey(pub: Uint8Array): Uint8Array;
  /** @throws WireError `malformed-message` */
  decodeKey(wire: Uint8Array): Uint8Array;
  /** Our identity key on the wire. */
  encodeIdentity(identity: Identity): Uint8Array;
  /** The Curve25519 form of an identity key. @throws WireError `malformed-message`, `weak-key` */
  decodeIdentity(wire: Uint8Array): Uint8Array;
  /** Signs a signed prekey in its wire encoding. */
  sign(identity: Identity, encodedKey: Uint8Array): Uint8Array;
  /** Whether the bundle's identity key signed its signed prekey. */
  isSignatureValid(bundle: Bundle): boolean;
  /** Associated data of a message's MAC, from identity keys in wire encoding. */
  associatedData(sender: Uint8Array, receiver: Uint8Array, isSenderInitiator: boolean): Uint8Array;
  /** Puts a message together; `mac` computes the truncated MAC over the covered bytes. */
  buildMessage(header: Header, ciphertext: Uint8Array, mac: (covered: Uint8Array) => Uint8Array): Uint8Array;
  /** @throws WireError `malformed-message`, `unsupported-version` */
  parseMessage(data: Uint8Array): ParsedMessage;
  buildKeyExchange(exchange: KeyExchange, deviceId: number, message: Uint8Array): Uint8Array;
  /** @throws WireError `malformed-message`, `unsupported-version` */
  parseKeyExchange(data: Uint8Array): { exchange: KeyExchange; message: Uint8Array };
  /** Encrypts a payload under a fresh key; null makes the key of an empty message. */
  sealPayload(plaintext: Uint8Array | null): SealedPayload;
  /** @throws WireError `payload-corrupt` */
  openPayload(material: Uint8Array, iv: Uint8Array | null, payload: Uint8Array): Uint8Array;
}
