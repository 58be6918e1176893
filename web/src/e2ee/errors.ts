/*
 * E2eeError                 root; `code` is stable, the text is for logs only
 * ├── TrustError            untrusted-devices, device-distrusted, identity-changed, unknown-fingerprint
 * ├── SessionError          no-session, bad-mac, duplicate-message, too-many-skipped, unknown-prekey,
 * │                         unknown-signed-prekey
 * ├── WireError             malformed-message, unsupported-version, malformed-bundle, bad-signature, weak-key,
 * │                         payload-corrupt, malformed-url, content-corrupt
 * ├── StoreError            store-corrupt, store-unavailable
 * └── UsageError            bad-address, bad-argument
 */

import type { Address, DeviceRecord } from './types';

/** Root of everything this package throws on purpose. */
export class E2eeError extends Error {
  /** Stable kebab-case identifier; programs branch on this, never on the text. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

export type TrustErrorCode = 'untrusted-devices' | 'device-distrusted' | 'identity-changed' | 'unknown-fingerprint';

/** The trust policy forbids what was asked. Nothing was sent, decrypted or stored, except the key to be judged. */
export class TrustError extends E2eeError {
  declare readonly code: TrustErrorCode;
  /** The devices that stand in the way, as they are recorded now. */
  readonly devices: readonly DeviceRecord[];

  constructor(code: TrustErrorCode, message: string, devices: readonly DeviceRecord[] = []) {
    super(code, message);
    this.devices = devices;
  }
}

export type SessionErrorCode =
  | 'no-session'
  | 'bad-mac'
  | 'duplicate-message'
  | 'too-many-skipped'
  | 'unknown-prekey'
  | 'unknown-signed-prekey';

/** A message doesn't fit the session it came for. The session is exactly as it was before. */
export class SessionError extends E2eeError {
  declare readonly code: SessionErrorCode;
  /** The devices concerned; with `no-session` all that lack one. */
  readonly addresses: readonly Address[];

  constructor(code: SessionErrorCode, message: string, addresses: readonly Address[] = []) {
    super(code, message);
    this.addresses = addresses;
  }

  /**
   * Whether the caller should fetch the sender's bundle, call `startSession` and send an empty message, so that
   * both sides speak again. False only for a message that was decrypted before.
   */
  get shouldRebuild(): boolean {
    return this.code !== 'duplicate-message';
  }
}

export type WireErrorCode =
  | 'malformed-message'
  | 'unsupported-version'
  | 'malformed-bundle'
  | 'bad-signature'
  | 'weak-key'
  | 'payload-corrupt'
  | 'malformed-url'
  | 'content-corrupt';

/** Bytes from somebody else are not what the specification says. */
export class WireError extends E2eeError {
  declare readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

export type StoreErrorCode = 'store-corrupt' | 'store-unavailable';

/** The local store can't be read or written. */
export class StoreError extends E2eeError {
  declare readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

export type UsageErrorCode = 'bad-address' | 'bad-argument';

/** The caller passed something that can't be used. */
export class UsageError extends E2eeError {
  declare readonly code: UsageErrorCode;

  constructor(code: UsageErrorCode, message: string) {
    super(code, message);
  }
}
