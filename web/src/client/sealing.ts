/** Joins the encryption to the stream: device lists, bundles, sessions, sealing, opening. */
import {
  type Address,
  type Decrypted,
  type DeviceListChange,
  type DeviceRecord,
  type ExtraWrite,
  formatFingerprint,
  fromUtf8,
  isTrusted,
  judgedKeysOf,
  OmemoDevice,
  type RecipientPlan,
  SessionError,
  TrustError,
  toUtf8,
  WireError,
} from '../e2ee';
import type { DeviceInfo, NoteContent, Trust } from '../model';
import type { Clock } from './clock';
import type { ClientDb } from './db';
import { DeviceLists, LIST_LIFE_MS } from './device-lists';
import { listDevices, omemoDeviceIdOf } from './devices';
import { OfflineError, StanzaError } from './errors';
import type { Link } from './link';
import { announcedDevices, fetchBundle } from './pep';
import { report } from './report';
import { buildKeyTransport, buildSealed, type Envelope, type SealedPayload } from './stanzas';
import type { Planned } from './store';
import { serialize, type XmlNode } from './xml';

const FORMAT = 'legacy';

export type SealOutcome =
  | { readonly kind: 'sealed'; readonly stanza: string }
  /** `isPassing`: nobody will tell when it can go on, so it has to be tried again. */
  | { readonly kind: 'wait'; readonly for: 'devices' | WaitsForTrust; readonly isPassing?: true };

/** A decision of the person is awaited: about a device of the other, or about one of the person's own only. */
type WaitsForTrust = 'trust' | 'own-trust';

export type UnsealOutcome =
  | { readonly kind: 'opened' }
  /** Opened before, or nothing to show. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable'; readonly reason: 'not-for-this-device' | 'broken' }
  /** Nothing was changed: it can be opened as soon as the person trusts the device. */
  | { readonly kind: 'refused'; readonly reason: 'key-changed' | 'distrusted' };

/**
 * Makes the writes that store what was opened.
 *
 * @param uncheckedKey Fingerprint of the key that it came from, if nothing is decided about the device yet.
 */
export type OpenedCommit = (text: string, uncheckedKey: string | null) => Promise<readonly ExtraWrite[]>;

/** What devices are called, by their ids; those of our own account only, and not all of them. */
export type DeviceNames = ReadonlyMap<number, string>;

export interface SealingEvents {
  /** Something about a device is to be told in the conversations that it concerns. */
  onNote(jid: string, note: NoteContent['note'], deviceId: number): void;
  /** The same for devices that are new, as writes for the transaction that marks them as told of. */
  planNotes(jid: string, deviceIds: readonly number[], names: DeviceNames): Promise<readonly Planned[]>;
  /** What waits for devices or for a decision may go on. */
  onDevicesChanged(jid: string): void;
}

export interface SealingParts {
  readonly db: ClientDb;
  readonly link: Pick<Link, 'isOpen' | 'request' | 'sendIfOpen'>;
  readonly clock: Clock;
  readonly account: { readonly jid: string; readonly resource: string; readonly deviceName: string };
  /** Whether somebody may notice by our answers that the app is there. */
  readonly mayNotice: (jid: string) => Promise<boolean>;
  readonly events: SealingEvents;
}

export class Sealing {
  readonly lists: DeviceLists;
  /** Devices whose bundle could not be had, and when it was asked for. */
  readonly #unreachable = new Map<string, number>();
  readonly #healed = new Set<string>();
  /** Devices whose changed key was announced. */
  readonly #warned = new Set<string>();
  /** As the server said last. */
  #ownNames: DeviceNames = new Map();
  #replies = new Map<string, Address>();
  #isCatchingUp = false;

  private constructor(
    private readonly device: OmemoDevice,
    private readonly parts: SealingParts,
  ) {
    const { db, link, clock } = parts;
    const onChange = (jid: string, change: DeviceListChange) => this.#onListChange(jid, change);
    this.lists = new DeviceLists({ device, link, clock, db, onChange });
  }

  static async open(parts: SealingParts): Promise<Sealing> {
    const { db, account, clock } = parts;
    const opened: { sealing?: Sealing } = {};
    const device = await OmemoDevice.open(db.e2ee, account.jid, {
      now: () => clock.now(),
      deviceId: await omemoDeviceIdOf(account.resource),
      onBundleChanged: () => opened.sealing?.lists.publishIfStale(),
    });
    opened.sealing = new Sealing(device, parts);
    return opened.sealing;
  }

  /** A new session with the server. */
  async beginSession(): Promise<void> {
    this.#unreachable.clear();
    this.#healed.clear();
    await this.lists.beginSession();
  }

  beginCatchUp(): void {
    this.#isCatchingUp = true;
    this.device.beginCatchUp();
  }

  async endCatchUp(): Promise<void> {
    this.#isCatchingUp = false;
    await this.device.endCatchUp();
    const due = [...this.#replies.values()];
    this.#replies = new Map();
    for (const address of due) {
      await this.#sendEmpty(address);
    }
  }

  /** Takes a personal event; only device lists matter here. */
  async onEvent(from: string, event: XmlNode): Promise<void> {
    const ids = announcedDevices(event);
    if (ids) {
      await this.lists.onEvent(from, ids);
      this.parts.events.onDevicesChanged(from);
    }
  }

  /**
   * Seals a message for all devices of a person and our own others. As long as one of the two lists cannot be had, it
   * waits: a message for fewer devices than there are would be lost on the others.
   *
   * @param commit Makes the writes that store the finished stanza: they become durable together with the ratchets.
   * @throws OfflineError when devices or bundles cannot be asked for just now.
   */
  async seal(
    jid: string,
    wireId: string,
    body: string,
    commit: (stanza: string) => Promise<readonly ExtraWrite[]>,
  ): Promise<SealOutcome> {
    const plan = await this.#freshPlan(jid);
    if (!plan) {
      return { kind: 'wait', for: 'devices', isPassing: true };
    }
    // A device whose bundle cannot be had is left out, trusted or not: there is no key to decide about.
    const undecided = plan.undecided.filter((device) => device.identityKey !== null);
    if (undecided.length > 0) {
      return { kind: 'wait', for: this.#waitFor(undecided) };
    }
    const isReachable = plan.ready.some((address) => address.jid === jid);
    if (!isReachable) {
      const isRefused = plan.distrusted.some((device) => device.jid === jid);
      return { kind: 'wait', for: isRefused ? 'trust' : 'devices' };
    }
    let stanza = '';
    try {
      await this.device.encrypt(toUtf8(body), plan.ready, FORMAT, (encrypted) => {
        stanza = serialize(buildSealed(jid, wireId, payloadOf(encrypted)));
        return commit(stanza);
      });
    } catch (error) {
      // A key may have changed since the plan was made.
      if (error instanceof TrustError) {
        return { kind: 'wait', for: this.#waitFor(error.devices) };
      }
      throw error;
    }
    return { kind: 'sealed', stanza };
  }

  /**
   * Opens a message.
   *
   * @param commit Its writes become durable together with the ratchet.
   */
  async unseal(
    envelope: Pick<Envelope, 'from' | 'isOwn'>,
    sealed: SealedPayload,
    commit: OpenedCommit,
  ): Promise<UnsealOutcome> {
    const keys = sealed.keys.filter((key) => key.deviceId === this.device.deviceId);
    const from = { jid: envelope.from, deviceId: sealed.senderDeviceId };
    const isOwnEcho = envelope.isOwn && sealed.senderDeviceId === this.device.deviceId;
    if (keys.length === 0 || isOwnEcho) {
      return { kind: 'unreadable', reason: 'not-for-this-device' };
    }
    const failures: unknown[] = [];
    // Device ids are unique to an account only: there may be another person's key under ours.
    for (const key of keys) {
      try {
        const decrypted = await this.device.decrypt(from, key, sealed.iv, sealed.payload, FORMAT, (opened) =>
          opened.plaintext ? commit(fromUtf8(opened.plaintext), uncheckedKeyOf(opened)) : [],
        );
        // It is open and stored. What follows from it can be made up for.
        await this.#afterOpening(decrypted).catch(report);
        return { kind: decrypted.plaintext ? 'opened' : 'nothing' };
      } catch (error) {
        if (!isVerdict(error)) {
          throw error;
        }
        failures.push(error);
      }
    }
    return this.#explain(failures, from);
  }

  /** The devices of a person, our own account's with this one among them. */
  async devices(jid: string): Promise<DeviceInfo[]> {
    if (this.parts.link.isOpen) {
      // What is known is shown in any case.
      await this.#freshPlan(jid).catch(() => null);
    }
    const names = await this.#namesOf(jid);
    const others = (await this.device.devicesOf(jid)).flatMap((record) => deviceInfosOf(record, names));
    return jid === this.device.jid ? [this.#thisDevice(), ...others] : others;
  }

  /**
   * Records what the person decided about a device.
   *
   * @param fingerprint The key that the person saw: the decision is about no other.
   * @throws TrustError `unknown-fingerprint` when the device shows another key by now.
   */
  async setTrust(jid: string, deviceId: number, fingerprint: string, trust: Trust): Promise<void> {
    await this.device.setTrust(jid, fingerprint, trust, deviceId);
    this.#unreachable.delete(keyOf({ jid, deviceId }));
    this.#warned.delete(keyOf({ jid, deviceId }));
    this.parts.events.onDevicesChanged(jid);
  }

  /** The fingerprints of a person's keys that are trusted, as `OpenedCommit` gets them. */
  async trustedKeys(jid: string): Promise<ReadonlySet<string>> {
    const keys = (await this.device.devicesOf(jid)).flatMap(judgedKeysOf);
    return new Set(
      keys.flatMap(({ identityKey, trust }) =>
        identityKey && isTrusted(trust) ? [formatFingerprint(identityKey)] : [],
      ),
    );
  }

  /** The server knows what our own devices are called; what those of others are called, nobody tells. */
  async #namesOf(jid: string): Promise<DeviceNames> {
    const { link, account } = this.parts;
    if (jid !== this.device.jid) {
      return new Map();
    }
    try {
      const signedIn = link.isOpen ? await listDevices(link, account.resource) : [];
      const named = signedIn.map(async ({ resource, name }) => [await omemoDeviceIdOf(resource), name] as const);
      this.#ownNames = new Map([...this.#ownNames, ...(await Promise.all(named))]);
    } catch (error) {
      // They are shown without, or with the names that were known before.
      if (!(error instanceof StanzaError || error instanceof OfflineError)) {
        throw error;
      }
    }
    return this.#ownNames;
  }

  #thisDevice(): DeviceInfo {
    return {
      jid: this.device.jid,
      deviceId: this.device.deviceId,
      name: this.parts.account.deviceName,
      isThisDevice: true,
      isActive: true,
      trust: 'verified',
      fingerprint: this.device.fingerprint().split(' '),
      firstSeen: 0,
    };
  }

  #waitFor(devices: readonly Address[]): WaitsForTrust {
    const isOwnOnly = devices.length > 0 && devices.every(({ jid }) => jid === this.device.jid);
    return isOwnOnly ? 'own-trust' : 'trust';
  }

  /** Null when a list or a bundle cannot be had just now. */
  async #freshPlan(jid: string): Promise<RecipientPlan | null> {
    try {
      await Promise.all([this.lists.ensure(this.device.jid), this.lists.ensure(jid)]);
      return await this.#planWithSessions(jid);
    } catch (error) {
      // An address whose server does not exist is wrong: the person has to see that.
      if (error instanceof StanzaError && error.condition !== 'remote-server-not-found') {
        return null;
      }
      throw error;
    }
  }

  async #planWithSessions(jid: string): Promise<RecipientPlan> {
    const plan = await this.device.plan([jid, this.device.jid], FORMAT);
    const missing = plan.needSession.filter((address) => !this.#isUnreachable(address));
    if (missing.length === 0) {
      return plan;
    }
    for (const address of missing) {
      await this.#startSession(address);
    }
    return this.device.plan([jid, this.device.jid], FORMAT);
  }

  #isUnreachable(address: Address): boolean {
    const askedAt = this.#unreachable.get(keyOf(address));
    return askedAt !== undefined && this.parts.clock.now() - askedAt < LIST_LIFE_MS;
  }

  async #startSession(address: Address): Promise<boolean> {
    const bundle = await fetchBundle(this.parts.link, address.jid, address.deviceId);
    try {
      if (bundle) {
        await this.device.startSession(address, bundle, FORMAT);
        return true;
      }
    } catch (error) {
      if (!isVerdict(error)) {
        throw error;
      }
      this.#noteChangedKey(error, address);
    }
    this.#unreachable.set(keyOf(address), this.parts.clock.now());
    return false;
  }

  async #afterOpening({ from, needsReply, isNewDevice, isListed }: Decrypted): Promise<void> {
    if (!isListed) {
      // Whoever wrote from it expects the answer there, and no event may have told of it.
      this.lists.forget(from.jid);
    }
    if (isNewDevice) {
      await this.#announceNew(from.jid);
    }
    if (needsReply) {
      await this.#replyLater(from);
    }
  }

  /** What it means that none of the keys opened a message. */
  async #explain(failures: readonly unknown[], from: Address): Promise<UnsealOutcome> {
    if (failures.some((error) => error instanceof SessionError && !error.shouldRebuild)) {
      return { kind: 'nothing' };
    }
    const refusal = failures.find((error) => error instanceof TrustError);
    if (refusal) {
      this.#noteChangedKey(refusal, from);
      return { kind: 'refused', reason: refusal.code === 'device-distrusted' ? 'distrusted' : 'key-changed' };
    }
    if (failures.some((error) => error instanceof SessionError) && !this.#healed.has(keyOf(from))) {
      this.#healed.add(keyOf(from));
      await this.#heal(from).catch(() => undefined);
    }
    return { kind: 'unreadable', reason: 'broken' };
  }

  async #heal(address: Address): Promise<void> {
    const isWelcome = this.parts.link.isOpen && (await this.parts.mayNotice(address.jid));
    if (isWelcome && (await this.#startSession(address))) {
      await this.#replyLater(address);
    }
  }

  async #replyLater(address: Address): Promise<void> {
    if (this.#isCatchingUp) {
      this.#replies.set(keyOf(address), address);
    } else {
      await this.#sendEmpty(address);
    }
  }

  async #sendEmpty(address: Address): Promise<void> {
    try {
      // It shows that we are there; a stranger learns that with the first message that the person writes.
      if (await this.parts.mayNotice(address.jid)) {
        const encrypted = await this.device.encrypt(null, [address], FORMAT);
        this.parts.link.sendIfOpen(buildKeyTransport(address.jid, crypto.randomUUID(), payloadOf(encrypted)));
      }
    } catch (error) {
      // It only speeds up what the next message does anyway.
      if (!isVerdict(error)) {
        report(error);
      }
    }
  }

  #noteChangedKey(error: unknown, address: Address): void {
    const isChanged = error instanceof TrustError && error.code === 'identity-changed';
    if (isChanged && !this.#warned.has(keyOf(address))) {
      this.#warned.add(keyOf(address));
      this.parts.events.onNote(address.jid, 'key-changed', address.deviceId);
    }
  }

  async #onListChange(jid: string, change: DeviceListChange): Promise<void> {
    for (const deviceId of change.reappeared) {
      this.#unreachable.delete(keyOf({ jid, deviceId }));
    }
    await this.#announceNew(jid);
    for (const deviceId of change.removed) {
      this.parts.events.onNote(jid, 'device-removed', deviceId);
    }
  }

  /** Tells of devices that nobody was told of, also of those that a crash came in between. */
  async #announceNew(jid: string): Promise<void> {
    const planned: Planned[] = [];
    const hasNew = (await this.device.devicesOf(jid)).some((device) => device.isNew);
    const names: DeviceNames = hasNew ? await this.#namesOf(jid) : new Map();
    await this.device.acknowledgeDevices(jid, async (deviceIds) => {
      planned.push(...(await this.parts.events.planNotes(jid, deviceIds, names)));
      return planned.flatMap(({ writes }) => writes);
    });
    for (const note of planned) {
      note.apply();
    }
  }
}

function payloadOf(encrypted: {
  readonly senderDeviceId: number;
  readonly keys: SealedPayload['keys'];
  readonly iv: Uint8Array | null;
  readonly payload: Uint8Array | null;
}): SealedPayload {
  return { ...encrypted, iv: encrypted.iv ?? new Uint8Array(12) };
}

/** The key behind a message, if the person has yet to decide about its device. */
function uncheckedKeyOf({ trust, identityFingerprint }: Decrypted): string | null {
  return trust === 'undecided' ? identityFingerprint : null;
}

/** A device as the person sees it, once for each key that can be decided about. */
function deviceInfosOf(record: DeviceRecord, names: DeviceNames): DeviceInfo[] {
  return judgedKeysOf(record).map(({ identityKey, trust }) => ({
    jid: record.jid,
    deviceId: record.deviceId,
    name: names.get(record.deviceId) ?? '',
    isThisDevice: false,
    isActive: record.active.includes(FORMAT),
    trust,
    fingerprint: identityKey ? formatFingerprint(identityKey).split(' ') : [],
    firstSeen: record.firstSeenMs,
  }));
}

/**
 * Whether an error says something about what came. Any other says that it could not be looked at, by the storage's
 * fault for example: nothing was changed, and the next try may well succeed.
 */
function isVerdict(error: unknown): boolean {
  return error instanceof SessionError || error instanceof WireError || error instanceof TrustError;
}

function keyOf(address: Address): string {
  return `${address.jid}/${address.deviceId}`;
}
