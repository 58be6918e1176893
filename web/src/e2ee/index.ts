/*
 * End-to-end encryption: OMEMO in both session formats on one core, trust, the encrypted store, encrypted files.
 * `device.ts` is the front door. No XML, no network and no user interface here; the client layer has those. To add a
 * session format, copy `omemo2.ts`.
 */

export {
  decryptFile,
  encryptFile,
  FILE_TAG_BYTES,
  type FileSecret,
  parseAesGcmUrl,
  toAesGcmUrl,
} from './aesgcm';
export { fromBase64, fromHex, fromUtf8, toBase64, toHex, toUtf8 } from './bytes';
export { type AcknowledgeCommit, OmemoDevice, type OpenOptions, type OwnBundle } from './device';
export { E2eeError, SessionError, StoreError, TrustError, UsageError, WireError } from './errors';
export { createE2eeObjectStores, IdbStore, type Sealed } from './idb-store';
export { BrowserLocks, LocalLocks, type Locks } from './locks';
export { MemoryStore } from './memory-store';
export { type DecryptCommit, findOwnKey, type IncomingKey } from './receiving';
export type { EncryptCommit } from './sending';
export type { E2eeStore, ExtraWrite, Write } from './store';
export {
  effectiveTrust,
  formatFingerprint,
  isTrusted,
  type JudgedKey,
  judgedKeysOf,
  type NewDevicePolicy,
} from './trust';
export {
  type Address,
  type Bundle,
  type ChangedKey,
  type Decrypted,
  type DeviceListChange,
  type DeviceRecord,
  type Encrypted,
  type EncryptedKey,
  FORMATS,
  type Format,
  type PublicPreKey,
  type RecipientPlan,
  type Trust,
} from './types';
