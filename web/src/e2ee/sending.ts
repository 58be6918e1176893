import { isEqual } from './bytes';
import { SessionError, TrustError, UsageError, WireError } from './errors';
import type { FormatSpec } from './format';
import { specOf } from './formats';
import {
  type Context,
  checkAddress,
  contactKey,
  exclusively,
  loadContact,
  loadSessions,
  sessionKey,
  writeContact,
  writeSessions,
} from './records';
import { initiate, promote, type Session, send } from './session';
import type { ExtraWrite, Write } from './store';
import { type Contact, effectiveTrust, findDevice, isTrusted, observeKey } from './trust';
import type { Address, Bundle, DeviceRecord, Encrypted, EncryptedKey, Format } from './types';

/** Prekeys in a bundle at most: ten times what anybody publishes. */
const MAX_BUNDLE_PREKEYS = 1000;

/** The caller's own writes that go into the transaction which stores the advanced sessions. */
export type EncryptCommit = (encrypted: Encrypted) => readonly ExtraWrite[] | Promise<readonly ExtraWrite[]>;

/** Begins a session with a device from its bundle. See `OmemoDevice.startSession`. */
export function startSession(context: Context, address: Address, bundle: Bundle, format: Format): Promise<void> {
  checkAddress(context, address);
  const spec = specOf(format);
  checkBundle(spec, address, bundle);
  const keys = [contactKey(address.jid), sessionKey(format, address)];
  return exclusively(context, keys, async () => {
    const session = initiate(spec, context.identity, bundle);
    const before = await loadContact(context, address.jid);
    const nowMs = context.now();
    const observed = observeKey(before, address.deviceId, session.remoteCurve, context.policy, nowMs);
    if (observed.verdict === 'changed' || observed.verdict === 'distrusted') {
      // The refused key is recorded, so that the user can be asked about it.
      await context.store.commit([writeContact(observed.contact)]);
      throw refusal(observed.verdict, observed.device);
    }
    const sessions = promote(await loadSessions(context, format, address), session);
    await context.store.commit([writeContact(observed.contact), writeSessions(format, address, sessions)]);
  });
}

/** Encrypts to several devices. See `OmemoDevice.encrypt`. */
export function encrypt(
  context: Context,
  plaintext: Uint8Array | null,
  recipients: readonly Address[],
  format: Format,
  commit?: EncryptCommit,
): Promise<Encrypted> {
  const addresses = distinct(recipients);
  for (const address of addresses) {
    checkAddress(context, address);
  }
  if (addresses.length === 0) {
    throw new UsageError('bad-argument', 'a message needs at least one device to go to');
  }
  const keys = addresses.map((address) => sessionKey(format, address));
  return exclusively(context, keys, async () => {
    const loaded = await loadForSending(context, addresses, format);
    const { encrypted, writes } = seal(context, plaintext, loaded, format);
    const extra = (await commit?.(encrypted)) ?? [];
    // The advanced sessions are durable before anybody sees the ciphertext: a key is never used twice.
    await context.store.commit(writes, extra);
    return encrypted;
  });
}

/** The sessions of a device that belong to the identity key it has now. */
export function sessionsOfKey(sessions: readonly Session[], device: DeviceRecord | undefined): readonly Session[] {
  const key = device?.identityKey ?? null;
  return key === null ? sessions : sessions.filter((session) => isEqual(session.remoteCurve, key));
}

/** The error for a key that the trust policy refuses. */
export function refusal(verdict: 'changed' | 'distrusted', device: DeviceRecord): TrustError {
  return verdict === 'changed'
    ? new TrustError('identity-changed', 'the device shows another identity key than before', [device])
    : new TrustError('device-distrusted', 'the user distrusts this identity key', [device]);
}

interface Loaded {
  readonly address: Address;
  readonly sessions: readonly Session[];
}

async function loadForSending(
  context: Context,
  addresses: readonly Address[],
  format: Format,
): Promise<readonly Loaded[]> {
  const contacts = new Map<string, Contact>();
  const blocked: DeviceRecord[] = [];
  const missing: Address[] = [];
  const loaded: Loaded[] = [];
  for (const address of addresses) {
    const contact = contacts.get(address.jid) ?? (await loadContact(context, address.jid));
    contacts.set(address.jid, contact);
    const device = findDevice(contact, address.deviceId);
    const sessions = sessionsOfKey(await loadSessions(context, format, address), device);
    if (device !== undefined && !isTrusted(effectiveTrust(device))) {
      blocked.push(device);
    } else if (device === undefined || sessions.length === 0) {
      missing.push(address);
    } else {
      loaded.push({ address, sessions });
    }
  }
  if (blocked.length > 0) {
    throw new TrustError('untrusted-devices', `${blocked.length} devices are not trusted`, blocked);
  }
  if (missing.length > 0) {
    throw new SessionError('no-session', `${missing.length} devices have no session`, missing);
  }
  return loaded;
}

function seal(
  context: Context,
  plaintext: Uint8Array | null,
  loaded: readonly Loaded[],
  format: Format,
): { encrypted: Encrypted; writes: readonly Write[] } {
  const spec = specOf(format);
  const { material, iv, payload } = spec.sealPayload(plaintext);
  const keys: EncryptedKey[] = [];
  const writes: Write[] = [];
  for (const { address, sessions } of loaded) {
    const sent = send(spec, sessions[0] as Session, context.deviceId, material);
    keys.push({ jid: address.jid, deviceId: address.deviceId, data: sent.data, preKey: sent.preKey });
    writes.push(writeSessions(format, address, promote(sessions, sent.session)));
  }
  return { encrypted: { format, senderDeviceId: context.deviceId, keys, iv, payload }, writes };
}

function checkBundle(spec: FormatSpec, address: Address, bundle: Bundle): void {
  const isOfDevice = bundle.deviceId === address.deviceId;
  const ids = [bundle.signedPreKeyId, ...bundle.preKeys.map((preKey) => preKey.id)];
  const areIdsSound = ids.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff);
  if (!isOfDevice || !areIdsSound || bundle.preKeys.length > MAX_BUNDLE_PREKEYS) {
    throw new WireError('malformed-bundle', 'the bundle is of another device or out of bounds');
  }
  try {
    spec.decodeKey(bundle.signedPreKey);
    spec.decodeIdentity(bundle.identityKey);
    for (const preKey of bundle.preKeys) {
      spec.decodeKey(preKey.key);
    }
  } catch (error) {
    throw new WireError('malformed-bundle', 'a key of the bundle is not readable', { cause: error });
  }
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  return [...new Map(addresses.map((address) => [`${address.jid}/${address.deviceId}`, address])).values()];
}
