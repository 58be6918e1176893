/** Joins the encryption to the stream: device lists, bundles, sessions, sealing, opening. */
import {
  type Address,
  type DeviceRecord,
  type ExtraWrite,
  effectiveTrust,
  formatFingerprint,
  fromUtf8,
  OmemoDevice,
  type OwnBundle,
  type RecipientPlan,
  SessionError,
  StoreError,
  TrustError,
  toUtf8,
} from '../e2ee';
import type { DeviceInfo, NoteContent, Trust } from '../model';
import type { ClientDb } from './db';
import type { Link } from './link';
import { announcedDevices, fetchBundle, fetchDeviceList, publishBundle, publishDeviceList } from './pep';
import { buildKeyTransport, buildSealed, type Envelope, type SealedPayload } from './stanzas';
import { serialize, type XmlNode } from './xml';

const FORMAT = 'legacy';

export type SealOutcome =
  | { readonly kind: 'sealed'; readonly stanza: string }
  | { readonly kind: 'wait'; readonly for: 'devices' | 'trust' };

export type UnsealOutcome =
  | { readonly kind: 'opened' }
  /** Opened before, or nothing to show. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable'; readonly reason: 'not-for-this-device' | 'broken' }
  /** Nothing was changed: it can be opened as soon as the person trusts the device. */
  | { readonly kind: 'refused'; readonly reason: 'key-changed' | 'distrusted' };

export interface SealingEvents {
  onNote(jid: string, note: NoteContent['note'], deviceId: number): void;
  /** What waits for devices or for a decision may go on. */
  onDevicesChanged(jid: string): void;
}

export class Sealing {
  /** Whose list was read in this session; events keep it true from then on. */
  readonly #listed = new Set<string>();
  /** Devices whose bundle cannot be had in this session. */
  readonly #unreachable = new Set<string>();
  readonly #healed = new Set<string>();
  /** Devices whose changed key was announced. */
  readonly #warned = new Set<string>();
  #replies = new Map<string, Address>();
  #isCatchingUp = false;
  #isRetired = false;
  #publishing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly device: OmemoDevice,
    private readonly link: Link,
    private readonly deviceName: string,
    private readonly events: SealingEvents,
  ) {}

  static async open(
    db: ClientDb,
    link: Link,
    account: { readonly jid: string; readonly deviceName: string },
    events: SealingEvents,
  ): Promise<Sealing> {
    const opened: { sealing?: Sealing } = {};
    const device = await OmemoDevice.open(db.e2ee, account.jid, {
      onBundleChanged: () => opened.sealing?.publishIfStale(),
    });
    opened.sealing = new Sealing(device, link, account.deviceName, events);
    return opened.sealing;
  }

  /** A new session with the server: what is published there has to be ours, and lists may have changed. */
  async beginSession(): Promise<void> {
    this.#listed.clear();
    this.#unreachable.clear();
    this.#healed.clear();
    await this.device.maintain();
    const ids = await fetchDeviceList(this.link, this.device.jid);
    const change = await this.device.updateDeviceList(this.device.jid, ids, FORMAT);
    if (change.isOwnDeviceMissing) {
      // The bundle first: nobody shall see the device before it can be written to.
      await this.#publish(true);
      await publishDeviceList(this.link, [...ids, this.device.deviceId]);
    } else {
      await this.#publish(false);
    }
    this.#listed.add(this.device.jid);
    this.#announce(this.device.jid, change.announced, change.removed);
  }

  /** Takes this device off the list: nobody shall write to it any more. */
  async retire(): Promise<void> {
    const ids = await fetchDeviceList(this.link, this.device.jid);
    if (ids.includes(this.device.deviceId)) {
      this.#isRetired = true;
      await publishDeviceList(
        this.link,
        ids.filter((id) => id !== this.device.deviceId),
      );
    }
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

  /** Publishes the bundle again if it changed; at the latest with the next session. */
  publishIfStale(): void {
    if (this.link.isOpen) {
      this.#publishing = this.#publishing.then(() => this.#publish(false)).catch(() => undefined);
    }
  }

  /** Takes a personal event; only device lists matter here. */
  async onEvent(from: string, event: XmlNode): Promise<void> {
    const ids = announcedDevices(event);
    if (!ids) {
      return;
    }
    const change = await this.device.updateDeviceList(from, ids, FORMAT);
    this.#listed.add(from);
    if (change.isOwnDeviceMissing && this.link.isOpen && !this.#isRetired) {
      await publishDeviceList(this.link, [...ids, this.device.deviceId]);
    }
    this.#announce(from, change.announced, change.removed);
    this.events.onDevicesChanged(from);
  }

  /**
   * Seals a message for all devices of a person and our own others.
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
    await this.#ensureList(jid);
    const plan = await this.#planWithSessions(jid);
    if (plan.undecided.length > 0) {
      return { kind: 'wait', for: 'trust' };
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
        return { kind: 'wait', for: 'trust' };
      }
      throw error;
    }
    return { kind: 'sealed', stanza };
  }

  /**
   * Opens a message.
   *
   * @param commit Makes the writes that store the content: they become durable together with the ratchet.
   */
  async unseal(
    envelope: Pick<Envelope, 'from' | 'isOwn'>,
    sealed: SealedPayload,
    commit: (text: string) => Promise<readonly ExtraWrite[]>,
  ): Promise<UnsealOutcome> {
    const keys = sealed.keys.filter((key) => key.deviceId === this.device.deviceId);
    const from = { jid: envelope.from, deviceId: sealed.senderDeviceId };
    const isOwnEcho = envelope.isOwn && sealed.senderDeviceId === this.device.deviceId;
    if (keys.length === 0 || isOwnEcho) {
      return { kind: 'unreadable', reason: 'not-for-this-device' };
    }
    let failure: unknown;
    for (const key of keys) {
      try {
        const decrypted = await this.device.decrypt(from, key, sealed.iv, sealed.payload, FORMAT, ({ plaintext }) =>
          plaintext ? commit(fromUtf8(plaintext)) : [],
        );
        if (decrypted.needsReply) {
          await this.#replyLater(from);
        }
        return { kind: decrypted.plaintext ? 'opened' : 'nothing' };
      } catch (error) {
        failure = error;
      }
    }
    return this.#explain(failure, from);
  }

  /** The devices of a person, our own account's with this one among them. */
  async devices(jid: string): Promise<DeviceInfo[]> {
    if (this.link.isOpen) {
      await this.#ensureList(jid).catch(() => undefined);
      await this.#planWithSessions(jid).catch(() => undefined);
    }
    const others = (await this.device.devicesOf(jid)).map(deviceInfoOf);
    return jid === this.device.jid ? [this.#thisDevice(), ...others] : others;
  }

  async setTrust(jid: string, deviceId: number, trust: Trust): Promise<void> {
    const record = (await this.device.devicesOf(jid)).find((device) => device.deviceId === deviceId);
    const key = record && judgedKeyOf(record);
    if (key) {
      await this.device.setTrust(jid, formatFingerprint(key), trust);
      this.#unreachable.delete(`${jid}/${deviceId}`);
      this.#warned.delete(`${jid}/${deviceId}`);
      this.events.onDevicesChanged(jid);
    }
  }

  #thisDevice(): DeviceInfo {
    return {
      jid: this.device.jid,
      deviceId: this.device.deviceId,
      name: this.deviceName,
      isThisDevice: true,
      isActive: true,
      trust: 'verified',
      fingerprint: this.device.fingerprint().split(' '),
      firstSeen: 0,
    };
  }

  async #ensureList(jid: string): Promise<void> {
    if (!this.#listed.has(jid)) {
      const ids = await fetchDeviceList(this.link, jid);
      const change = await this.device.updateDeviceList(jid, ids, FORMAT);
      this.#listed.add(jid);
      this.#announce(jid, change.announced, change.removed);
    }
  }

  async #planWithSessions(jid: string): Promise<RecipientPlan> {
    const plan = await this.device.plan([jid, this.device.jid], FORMAT);
    const missing = plan.needSession.filter((address) => !this.#unreachable.has(keyOf(address)));
    if (missing.length === 0) {
      return plan;
    }
    for (const address of missing) {
      await this.#startSession(address);
    }
    return this.device.plan([jid, this.device.jid], FORMAT);
  }

  async #startSession(address: Address): Promise<boolean> {
    const bundle = await fetchBundle(this.link, address.jid, address.deviceId);
    try {
      if (bundle) {
        await this.device.startSession(address, bundle, FORMAT);
        return true;
      }
    } catch (error) {
      this.#noteChangedKey(error, address);
    }
    this.#unreachable.add(keyOf(address));
    return false;
  }

  async #explain(error: unknown, from: Address): Promise<UnsealOutcome> {
    if (error instanceof StoreError) {
      throw error;
    }
    if (error instanceof SessionError && !error.shouldRebuild) {
      return { kind: 'nothing' };
    }
    if (error instanceof TrustError) {
      this.#noteChangedKey(error, from);
      return { kind: 'refused', reason: error.code === 'device-distrusted' ? 'distrusted' : 'key-changed' };
    }
    if (error instanceof SessionError && !this.#healed.has(keyOf(from))) {
      this.#healed.add(keyOf(from));
      await this.#heal(from).catch(() => undefined);
    }
    return { kind: 'unreadable', reason: 'broken' };
  }

  async #heal(address: Address): Promise<void> {
    if (this.link.isOpen && (await this.#startSession(address))) {
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
      const encrypted = await this.device.encrypt(null, [address], FORMAT);
      this.link.sendIfOpen(buildKeyTransport(address.jid, crypto.randomUUID(), payloadOf(encrypted)));
    } catch (error) {
      // It only speeds up what the next message does anyway.
      if (error instanceof StoreError) {
        throw error;
      }
    }
  }

  #noteChangedKey(error: unknown, address: Address): void {
    const isChanged = error instanceof TrustError && error.code === 'identity-changed';
    if (isChanged && !this.#warned.has(keyOf(address))) {
      this.#warned.add(keyOf(address));
      this.events.onNote(address.jid, 'key-changed', address.deviceId);
    }
  }

  #announce(jid: string, added: readonly number[], removed: readonly number[]): void {
    for (const deviceId of added) {
      this.events.onNote(jid, 'new-device', deviceId);
    }
    for (const deviceId of removed) {
      this.events.onNote(jid, 'device-removed', deviceId);
    }
  }

  async #publish(isForced: boolean): Promise<void> {
    if (isForced || (await this.device.isBundleStale(FORMAT))) {
      const bundle: OwnBundle = await this.device.bundle(FORMAT);
      await publishBundle(this.link, bundle);
      await this.device.markPublished(FORMAT, bundle);
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

function deviceInfoOf(record: DeviceRecord): DeviceInfo {
  const key = judgedKeyOf(record);
  return {
    jid: record.jid,
    deviceId: record.deviceId,
    name: '',
    isThisDevice: false,
    isActive: record.active.includes(FORMAT),
    trust: effectiveTrust(record),
    fingerprint: key ? formatFingerprint(key).split(' ') : [],
    firstSeen: record.firstSeenMs,
  };
}

/** The key that a decision would be about: one that changed comes before the one that was known. */
function judgedKeyOf(record: DeviceRecord): Uint8Array | null {
  return record.changedKey?.trust === 'undecided' ? record.changedKey.identityKey : record.identityKey;
}

function keyOf(address: Address): string {
  return `${address.jid}/${address.deviceId}`;
}
