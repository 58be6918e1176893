import { isEqual, toHex } from './bytes';
import { TrustError, UsageError } from './errors';
import type { DeviceListChange, DeviceRecord, Format, Trust } from './types';

/*
 * Trust on first use that is visible. The first devices of a person are trusted when they are first seen. Devices that
 * come later are trusted too (or wait for the user, if the policy says so) and are announced as new. Once the user has
 * verified a device of a person, nothing of that person is trusted blindly any more: devices that come later wait for
 * the user. A device whose identity key changes is not trusted until the user decides.
 */

/** Devices in one published list at most: a longer one is refused. */
export const MAX_LISTED_DEVICES = 256;
/** Devices of one person that are remembered at most; unlisted ones that nobody judged go first. */
export const MAX_KNOWN_DEVICES = 512;
export const MAX_DEVICE_ID = 0xffff_ffff;

/**
 * What happens to devices that appear after the first ones, as long as the user verified none: they are trusted and
 * announced, or they wait.
 */
export type NewDevicePolicy = 'trust' | 'ask';

/** What is known about a person's devices. Plain data; functions here return new ones. */
export interface Contact {
  readonly jid: string;
  /** Whether a device list with any device in it was ever seen. */
  readonly hasList: boolean;
  /** The user verified a device once, whatever became of it. Older records lack it; their devices tell. */
  readonly hasVerified?: true;
  readonly devices: readonly DeviceRecord[];
}

/** A key and what was decided about it; null as long as the device has shown none. */
export interface JudgedKey {
  readonly identityKey: Uint8Array | null;
  readonly trust: Trust;
}

export type KeyVerdict = 'accepted' | 'undecided' | 'changed' | 'distrusted';

/** Someone of whom nothing is known. */
export function unknownContact(jid: string): Contact {
  return { jid, hasList: false, devices: [] };
}

/** The fingerprint of a Curve25519 identity key: eight groups of eight hex digits. */
export function formatFingerprint(identityKey: Uint8Array): string {
  return (toHex(identityKey).match(/.{8}/g) ?? []).join(' ');
}

/** Whether messages may be sent to a device, all its keys considered. */
export function effectiveTrust(device: DeviceRecord): Trust {
  return device.changedKey?.trust === 'undecided' ? 'undecided' : device.trust;
}

/** Whether a trust lets messages be sent. */
export function isTrusted(trust: Trust): boolean {
  return trust === 'trusted-first-use' || trust === 'verified';
}

/**
 * The keys of a device that the user can decide about. One that claims to be the device and waits for a decision hides
 * the known one; one that was refused stands beside it, so that the refusal can be taken back.
 */
export function judgedKeysOf(device: DeviceRecord): readonly JudgedKey[] {
  const { identityKey, trust, changedKey } = device;
  if (changedKey?.trust === 'undecided') {
    return [changedKey];
  }
  return [{ identityKey, trust }, ...(changedKey === null ? [] : [changedKey])];
}

/** Whether the user ever verified a device of the person: then first sight is no reason to trust another. */
function isAnyVerified(contact: Contact): boolean {
  return contact.hasVerified === true || contact.devices.some((device) => device.trust === 'verified');
}

/** The record of a device, if there is one. */
export function findDevice(contact: Contact, deviceId: number): DeviceRecord | undefined {
  return contact.devices.find((device) => device.deviceId === deviceId);
}

/**
 * Takes over a published device list.
 *
 * @param ids The first `MAX_LISTED_DEVICES` of them count: whoever lists more must not stop anybody's messages.
 * @throws UsageError `bad-argument` for an impossible id.
 */
export function updateList(
  contact: Contact,
  ids: readonly number[],
  format: Format,
  policy: NewDevicePolicy,
  nowMs: number,
): { contact: Contact; change: Omit<DeviceListChange, 'isOwnDeviceMissing'> } {
  const listed = checkedIds(ids);
  const added = [...listed].filter((id) => findDevice(contact, id) === undefined);
  const removed: number[] = [];
  const reappeared: number[] = [];
  const devices: DeviceRecord[] = [];
  for (const device of contact.devices) {
    const wasActive = device.active.includes(format);
    if (listed.has(device.deviceId)) {
      if (device.active.length === 0) {
        reappeared.push(device.deviceId);
      }
      const active = wasActive ? device.active : [...device.active, format];
      devices.push({ ...device, active, lastSeenMs: nowMs });
    } else {
      if (wasActive) {
        removed.push(device.deviceId);
      }
      devices.push(wasActive ? { ...device, active: device.active.filter((other) => other !== format) } : device);
    }
  }
  const fresh = added.map((id) => firstSight(contact, id, [format], policy, nowMs));
  const after = { ...contact, hasList: contact.hasList || listed.size > 0, devices: pruned([...devices, ...fresh]) };
  const announced = fresh.filter((device) => device.isNew).map((device) => device.deviceId);
  return { contact: after, change: { added, removed, reappeared, announced } };
}

/**
 * Takes note of a device's identity key, from its bundle or from a message that it authenticated.
 *
 * @param identityKey Curve25519, 32 bytes.
 */
export function observeKey(
  contact: Contact,
  deviceId: number,
  identityKey: Uint8Array,
  policy: NewDevicePolicy,
  nowMs: number,
): { contact: Contact; device: DeviceRecord; verdict: KeyVerdict } {
  const known = findDevice(contact, deviceId) ?? firstSight(contact, deviceId, [], policy, nowMs);
  const verdict = judgeKey(known, identityKey);
  let device: DeviceRecord = { ...known, identityKey: known.identityKey ?? identityKey, lastSeenMs: nowMs };
  if (verdict === 'changed' && !isSameKey(known.changedKey?.identityKey ?? null, identityKey)) {
    device = { ...device, changedKey: { identityKey, trust: 'undecided' } };
  }
  return { contact: withDevice(contact, device), device, verdict };
}

/** What the recorded decisions say about a key that claims to be a device. */
export function judgeKey(device: DeviceRecord, identityKey: Uint8Array): KeyVerdict {
  if (device.identityKey !== null && !isSameKey(device.identityKey, identityKey)) {
    const isRefused = isSameKey(device.changedKey?.identityKey ?? null, identityKey);
    return isRefused && device.changedKey?.trust === 'distrusted' ? 'distrusted' : 'changed';
  }
  if (device.trust === 'distrusted') {
    return 'distrusted';
  }
  return device.trust === 'undecided' ? 'undecided' : 'accepted';
}

/**
 * Records the user's decision about a key, wherever among the person's devices it stands.
 *
 * Trusting a changed key makes it the device's key; the sessions of the old one are never used again. Distrusting it
 * leaves the device with its old key. The first verification ends blind trust, also in devices that are listed and have
 * not shown a key yet: whoever controls the list may have prepared them.
 *
 * @param fingerprint Hex digits, grouped or not.
 * @param deviceId The device beside which the user saw it: if that shows another key by now, nothing is decided.
 * @throws TrustError `unknown-fingerprint` if no device has or claims it.
 */
export function decide(contact: Contact, fingerprint: string, trust: Trust, deviceId?: number): Contact {
  const wanted = fingerprint.replace(/[\s:]+/g, '').toLowerCase();
  const seen = deviceId === undefined ? undefined : findDevice(contact, deviceId);
  const shown = seen === undefined ? [] : judgedKeysOf(seen);
  if (deviceId !== undefined && !shown.some(({ identityKey }) => identityKey && toHex(identityKey) === wanted)) {
    throw new TrustError('unknown-fingerprint', 'the device does not show this fingerprint', seen ? [seen] : []);
  }
  let isFound = false;
  const devices = contact.devices.map((device): DeviceRecord => {
    if (device.identityKey !== null && toHex(device.identityKey) === wanted) {
      isFound = true;
      return { ...device, trust, isNew: false };
    }
    if (device.changedKey !== null && toHex(device.changedKey.identityKey) === wanted) {
      isFound = true;
      return decideChanged(device, device.changedKey.identityKey, trust);
    }
    return device;
  });
  if (!isFound) {
    throw new TrustError('unknown-fingerprint', 'no device has this fingerprint');
  }
  return trust === 'verified'
    ? { ...contact, hasVerified: true, devices: devices.map(doubted) }
    : { ...contact, devices };
}

/** Marks the new devices as seen by the user. */
export function acknowledge(contact: Contact): Contact {
  return {
    ...contact,
    devices: contact.devices.map((device) => (device.isNew ? { ...device, isNew: false } : device)),
  };
}

/** A device that was trusted without a key to trust is not decided about. */
function doubted(device: DeviceRecord): DeviceRecord {
  const isBlind = device.identityKey === null && device.trust === 'trusted-first-use';
  return isBlind ? { ...device, trust: 'undecided' } : device;
}

function decideChanged(device: DeviceRecord, identityKey: Uint8Array, trust: Trust): DeviceRecord {
  return isTrusted(trust)
    ? { ...device, identityKey, trust, changedKey: null, isNew: false }
    : { ...device, changedKey: { identityKey, trust: trust === 'distrusted' ? 'distrusted' : 'undecided' } };
}

function firstSight(
  contact: Contact,
  deviceId: number,
  active: readonly Format[],
  policy: NewDevicePolicy,
  nowMs: number,
): DeviceRecord {
  const isGuarded = isAnyVerified(contact);
  const isNew = contact.hasList || isGuarded;
  return {
    jid: contact.jid,
    deviceId,
    identityKey: null,
    trust: isGuarded || (isNew && policy === 'ask') ? 'undecided' : 'trusted-first-use',
    changedKey: null,
    active,
    isNew,
    firstSeenMs: nowMs,
    lastSeenMs: nowMs,
  };
}

function withDevice(contact: Contact, device: DeviceRecord): Contact {
  const isKnown = findDevice(contact, device.deviceId) !== undefined;
  const devices = isKnown
    ? contact.devices.map((other) => (other.deviceId === device.deviceId ? device : other))
    : [...contact.devices, device];
  return { ...contact, devices: pruned(devices) };
}

/** Forgets unlisted devices without a key, and the longest unseen ones that nobody judged when there are too many. */
function pruned(devices: readonly DeviceRecord[]): readonly DeviceRecord[] {
  const kept = devices.filter((device) => device.identityKey !== null || device.active.length > 0);
  const surplus = kept.length - MAX_KNOWN_DEVICES;
  if (surplus <= 0) {
    return kept;
  }
  const droppable = kept
    .filter(({ active, trust }) => active.length === 0 && (trust === 'trusted-first-use' || trust === 'undecided'))
    .sort((a, b) => a.lastSeenMs - b.lastSeenMs)
    .slice(0, surplus);
  return kept.filter((device) => !droppable.includes(device));
}

function checkedIds(ids: readonly number[]): Set<number> {
  const listed = new Set([...new Set(ids)].slice(0, MAX_LISTED_DEVICES));
  for (const id of listed) {
    if (!Number.isInteger(id) || id < 1 || id > MAX_DEVICE_ID) {
      throw new UsageError('bad-argument', 'a device id is a number from 1 to 2^32 - 1');
    }
  }
  return listed;
}

function isSameKey(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && isEqual(a, b);
}
