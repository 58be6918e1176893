/** The two session formats: `eu.siacs.conversations.axolotl` (XEP-0384 0.3.0) and `urn:xmpp:omemo:2` (0.8). */
export type Format = 'legacy' | 'omemo2';

export const FORMATS: readonly Format[] = ['legacy', 'omemo2'];

/** One device of one person. */
export interface Address {
  /** Bare JID. */
  readonly jid: string;
  /** 1 to 2^32 - 1; our own are at most 2^31 - 1. */
  readonly deviceId: number;
}

/**
 * What is believed about an identity key.
 *
 * `undecided` and `distrusted` never get a message. `trusted-first-use` does, and the app shows that nobody compared
 * the fingerprint yet.
 */
export type Trust = 'undecided' | 'trusted-first-use' | 'verified' | 'distrusted';

/** An identity key that appeared in place of the one that was known for a device. */
export interface ChangedKey {
  /** Curve25519 public key, 32 bytes. */
  readonly identityKey: Uint8Array;
  readonly trust: 'undecided' | 'distrusted';
}

/** What is known about a device of somebody, as plain data. */
export interface DeviceRecord extends Address {
  /** Curve25519 public key, 32 bytes; null until a bundle or a message showed it. */
  readonly identityKey: Uint8Array | null;
  readonly trust: Trust;
  /** A different key claims to be this device now; while it is undecided nothing is sent to the device. */
  readonly changedKey: ChangedKey | null;
  /** The formats whose published device list contains the device now. */
  readonly active: readonly Format[];
  /** Appeared after the first devices of this person, and the user has not acknowledged it yet. */
  readonly isNew: boolean;
  /** Milliseconds since the epoch. */
  readonly firstSeenMs: number;
  /** Milliseconds since the epoch: last listed, or last message. */
  readonly lastSeenMs: number;
}

/** A published bundle; keys are in the encoding of the format, ready for base64. */
export interface Bundle {
  readonly deviceId: number;
  /** legacy: 0x05 and Curve25519, 33 bytes; omemo2: Ed25519, 32 bytes. */
  readonly identityKey: Uint8Array;
  readonly signedPreKeyId: number;
  /** legacy: 33 bytes; omemo2: 32 bytes. */
  readonly signedPreKey: Uint8Array;
  /** 64 bytes. */
  readonly signedPreKeySignature: Uint8Array;
  readonly preKeys: readonly PublicPreKey[];
}

export interface PublicPreKey {
  readonly id: number;
  readonly key: Uint8Array;
}

/** What `updateDeviceList` saw change. */
export interface DeviceListChange {
  /** Never listed before. */
  readonly added: readonly number[];
  /** Listed before, now not. */
  readonly removed: readonly number[];
  /** Known from earlier, was gone, is back. */
  readonly reappeared: readonly number[];
  /** The added ones that came after the first devices of this person: to be announced. */
  readonly announced: readonly number[];
  /** The list is our own account's and lacks this device: publish it again. */
  readonly isOwnDeviceMissing: boolean;
}

/** The key of a message for one device, as it travels in its `<key/>` element. */
export interface EncryptedKey extends Address {
  readonly data: Uint8Array;
  /** The `prekey` (legacy) or `kex` (omemo2) attribute. */
  readonly preKey: boolean;
}

/** An encrypted message, before it is put into XML. */
export interface Encrypted {
  readonly format: Format;
  /** Our own device id, the `sid` attribute. */
  readonly senderDeviceId: number;
  readonly keys: readonly EncryptedKey[];
  /** legacy: 12 bytes; omemo2 has none. */
  readonly iv: Uint8Array | null;
  /** Null in an empty message, which carries keys only. */
  readonly payload: Uint8Array | null;
}

/** A decrypted message and what is known about who wrote it. */
export interface Decrypted {
  /** Null when the message was an empty one (key transport, session healing, heartbeat). */
  readonly plaintext: Uint8Array | null;
  readonly from: Address;
  readonly format: Format;
  /** Eight groups of eight hex digits. */
  readonly identityFingerprint: string;
  readonly trust: Trust;
  /** The device is one that has not been acknowledged by the user yet. */
  readonly isNewDevice: boolean;
  /** The device is on the list of its person that is known now. */
  readonly isListed: boolean;
  /** One of our one-time prekeys was used up: the bundle changed. */
  readonly usedPreKey: boolean;
  /** The sender waits for an answer (new session, or 53 messages without one): send an empty message. */
  readonly needsReply: boolean;
}

/** Which devices of some people can be reached, see `OmemoDevice.plan`. */
export interface RecipientPlan {
  /** Trusted and with a session. */
  readonly ready: readonly Address[];
  /**
   * Trusted and without a session, or undecided and without a key that the user could judge: fetch the bundle and call
   * `startSession`.
   */
  readonly needSession: readonly Address[];
  /** Undecided or changed: the user has to decide before anything is sent. Those without a key are in `needSession` too. */
  readonly undecided: readonly DeviceRecord[];
  /** Left out because the user distrusts them. */
  readonly distrusted: readonly DeviceRecord[];
}
