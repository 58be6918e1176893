import { SessionError, WireError } from './errors';
import type { FormatSpec, KeyExchange } from './format';
import { specOf } from './formats';
import { findPreKey, findSignedPreKey, type KeyRing, usePreKey } from './keys';
import {
  type Context,
  checkAddress,
  contactKey,
  exclusively,
  keyRingKey,
  loadContact,
  loadKeyRing,
  loadSessions,
  sessionKey,
  writeContact,
  writeKeyRing,
  writeSessions,
} from './records';
import { refusal, sessionsOfKey } from './sending';
import { findByExchange, promote, type Received, receive, receiveWithAny, respond, type Session } from './session';
import type { ExtraWrite, Write } from './store';
import { type Contact, effectiveTrust, findDevice, formatFingerprint, observeKey } from './trust';
import type { Address, Decrypted, Format } from './types';

/** The entry of a received message that is for this device. */
export interface IncomingKey {
  readonly data: Uint8Array;
  readonly preKey: boolean;
}

/** The caller's own writes that go into the transaction which stores the advanced session. */
export type DecryptCommit = (decrypted: Decrypted) => readonly ExtraWrite[] | Promise<readonly ExtraWrite[]>;

interface Opened extends Received {
  /** The prekeys after one was used up, if one was. */
  readonly ring: KeyRing | null;
}

/** Decrypts a message. See `OmemoDevice.decrypt`. */
export function decrypt(
  context: Context,
  from: Address,
  key: IncomingKey,
  iv: Uint8Array | null,
  payload: Uint8Array | null,
  format: Format,
  commit?: DecryptCommit,
): Promise<Decrypted> {
  checkAddress(context, from);
  const keys = [contactKey(from.jid), sessionKey(format, from), ...(key.preKey ? [keyRingKey(format)] : [])];
  return exclusively(context, keys, async () => {
    const spec = specOf(format);
    const contact = await loadContact(context, from.jid);
    refuseDistrusted(contact, from);
    const sessions = await loadSessions(context, format, from);
    const opened = await open(context, spec, contact, from, key, sessions);
    const observed = await observe(context, contact, from, opened.session);
    const plaintext = payload === null ? null : spec.openPayload(opened.material, iv, payload);
    const decrypted: Decrypted = {
      plaintext,
      from: { jid: from.jid, deviceId: from.deviceId },
      format,
      identityFingerprint: formatFingerprint(opened.session.remoteCurve),
      trust: effectiveTrust(observed.device),
      isNewDevice: observed.device.isNew,
      isListed: observed.device.active.includes(format),
      usedPreKey: opened.ring !== null,
      needsReply: opened.needsReply,
    };
    const extra = (await commit?.(decrypted)) ?? [];
    const writes: Write[] = [
      writeContact(observed.contact),
      writeSessions(format, from, promote(sessions, opened.session)),
      ...(opened.ring === null ? [] : [writeKeyRing(opened.ring)]),
    ];
    await context.store.commit(writes, extra);
    if (opened.ring !== null) {
      context.onBundleChanged(format);
    }
    return decrypted;
  });
}

/** A distrusted device isn't even tried: what it says must not move any state. */
function refuseDistrusted(contact: Contact, from: Address): void {
  const device = findDevice(contact, from.deviceId);
  if (device !== undefined && device.trust === 'distrusted') {
    throw refusal('distrusted', device);
  }
}

async function open(
  context: Context,
  spec: FormatSpec,
  contact: Contact,
  from: Address,
  key: IncomingKey,
  sessions: readonly Session[],
): Promise<Opened> {
  try {
    if (!key.preKey) {
      const usable = sessionsOfKey(sessions, findDevice(contact, from.deviceId));
      return { ...receiveWithAny(spec, usable, spec.parseMessage(key.data)), ring: null };
    }
    const { exchange, message } = spec.parseKeyExchange(key.data);
    const parsed = spec.parseMessage(message);
    const existing = findByExchange(sessions, exchange);
    if (existing !== undefined) {
      return { ...receive(spec, existing, parsed), ring: null };
    }
    const { session, ring } = await accept(context, spec, exchange);
    return { ...receive(spec, session, parsed), ring };
  } catch (error) {
    throw error instanceof SessionError ? new SessionError(error.code, error.message, [from]) : error;
  }
}

/** Builds a session from a key exchange, and takes its prekey off the offer. */
async function accept(
  context: Context,
  spec: FormatSpec,
  exchange: KeyExchange,
): Promise<{ session: Session; ring: KeyRing }> {
  const ring = await loadKeyRing(context, spec.format);
  const nowMs = context.now();
  const signedPreKey = ring === undefined ? undefined : findSignedPreKey(ring, exchange.signedPreKeyId, nowMs);
  if (ring === undefined || signedPreKey === undefined) {
    throw new SessionError('unknown-signed-prekey', 'the message uses a signed prekey that is gone');
  }
  const preKey = findPreKey(ring, exchange.preKeyId);
  if (preKey === undefined) {
    throw new SessionError('unknown-prekey', 'the message uses a one-time prekey that is gone');
  }
  const session = respond(spec, context.identity, exchange, signedPreKey.pair, preKey.pair);
  return { session, ring: usePreKey(ring, preKey.id, context.isCatchingUp, nowMs) };
}

/**
 * Judges the identity key that authenticated the message. Only now, after its MAC was verified, is a changed key worth
 * recording: an unauthenticated one could be anybody's.
 */
async function observe(
  context: Context,
  contact: Contact,
  from: Address,
  session: Session,
): Promise<ReturnType<typeof observeKey>> {
  const observed = observeKey(contact, from.deviceId, session.remoteCurve, context.policy, context.now());
  if (observed.verdict === 'changed' || observed.verdict === 'distrusted') {
    await context.store.commit([writeContact(observed.contact)]);
    throw refusal(observed.verdict, observed.device);
  }
  return observed;
}

/** The device id is not in the list of keys: the message is not for us. */
export function findOwnKey<T extends { readonly deviceId: number; readonly jid?: string }>(
  keys: readonly T[],
  own: Address,
): T {
  const found = keys.find((key) => key.deviceId === own.deviceId && (key.jid === undefined || key.jid === own.jid));
  if (found === undefined) {
    throw new WireError('malformed-message', 'the message has no key for this device');
  }
  return found;
}
