import { UsageError } from './errors';
import type { Identity } from './format';
import type { KeyRing } from './keys';
import type { Locks } from './locks';
import type { Session } from './session';
import type { E2eeStore, Write } from './store';
import { type Contact, MAX_DEVICE_ID, type NewDevicePolicy, unknownContact } from './trust';
import type { Address, Format } from './types';

/** What the operations of a device share. */
export interface Context {
  readonly store: E2eeStore;
  readonly locks: Locks;
  /** Our own bare JID. */
  readonly jid: string;
  readonly deviceId: number;
  readonly identity: Identity;
  readonly policy: NewDevicePolicy;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onBundleChanged: (format: Format) => void;
  /** Whether an archive catch-up is going on, during which used prekeys are kept. */
  isCatchingUp: boolean;
}

/** The account's own record. */
export interface Account {
  readonly jid: string;
  readonly deviceId: number;
  readonly identityPriv: Uint8Array;
  readonly identityPub: Uint8Array;
}

export const ACCOUNT_KEY = 'identity';

/** The record names; JIDs contain no slash because only bare ones are accepted. */
export function contactKey(jid: string): string {
  return `contact/${jid}`;
}

export function sessionKey(format: Format, address: Address): string {
  return `session/${format}/${address.jid}/${address.deviceId}`;
}

export function keyRingKey(format: Format): string {
  return `keys/${format}`;
}

export async function loadContact(context: Context, jid: string): Promise<Contact> {
  return ((await context.store.get(contactKey(jid))) as Contact | undefined) ?? unknownContact(jid);
}

export async function loadSessions(context: Context, format: Format, address: Address): Promise<readonly Session[]> {
  return ((await context.store.get(sessionKey(format, address))) as readonly Session[] | undefined) ?? [];
}

export async function loadKeyRing(context: Context, format: Format): Promise<KeyRing | undefined> {
  return (await context.store.get(keyRingKey(format))) as KeyRing | undefined;
}

export function writeContact(contact: Contact): Write {
  return { key: contactKey(contact.jid), value: contact };
}

export function writeSessions(format: Format, address: Address, sessions: readonly Session[]): Write {
  return { key: sessionKey(format, address), value: sessions.length === 0 ? undefined : sessions };
}

export function writeKeyRing(ring: KeyRing): Write {
  return { key: keyRingKey(ring.format), value: ring };
}

/** Runs a task while no other tab works on the named records of this account. */
export function exclusively<T>(context: Context, keys: readonly string[], task: () => Promise<T>): Promise<T> {
  return context.locks.run(
    keys.map((key) => `e2ee/${context.jid}/${key}`),
    task,
  );
}

/**
 * Checks the address of another device.
 *
 * @throws UsageError `bad-address` for a full or empty JID, an impossible device id, or ourselves.
 */
export function checkAddress(context: Context, address: Address): void {
  checkJid(address.jid);
  if (!Number.isInteger(address.deviceId) || address.deviceId < 1 || address.deviceId > MAX_DEVICE_ID) {
    throw new UsageError('bad-address', 'a device id is a number from 1 to 2^32 - 1');
  }
  if (address.jid === context.jid && address.deviceId === context.deviceId) {
    throw new UsageError('bad-address', 'a device has no session with itself');
  }
}

/** @throws UsageError `bad-address` for anything but a bare JID. */
export function checkJid(jid: string): void {
  if (jid === '' || jid.includes('/')) {
    throw new UsageError('bad-address', 'a bare JID is needed');
  }
}
