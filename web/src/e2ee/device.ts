import { UsageError } from './errors';
import { specOf } from './formats';
import { bundleOf, createKeyRing, forgetUsedPreKeys, identityOf, type KeyRing, maintain } from './keys';
import { defaultLocks, type Locks } from './locks';
import { generateKeyPair, randomBytes } from './primitives';
import { type DecryptCommit, decrypt, type IncomingKey } from './receiving';
import {
  ACCOUNT_KEY,
  type Account,
  type Context,
  checkAddress,
  checkJid,
  contactKey,
  exclusively,
  keyRingKey,
  loadContact,
  loadKeyRing,
  loadSessions,
  writeContact,
  writeKeyRing,
} from './records';
import { type EncryptCommit, encrypt, sessionsOfKey, startSession } from './sending';
import type { E2eeStore, ExtraWrite } from './store';
import {
  acknowledge,
  type Contact,
  decide,
  effectiveTrust,
  findDevice,
  formatFingerprint,
  isTrusted,
  type NewDevicePolicy,
  updateList,
} from './trust';
import {
  type Address,
  type Bundle,
  type Decrypted,
  type DeviceListChange,
  type DeviceRecord,
  type Encrypted,
  FORMATS,
  type Format,
  type RecipientPlan,
  type Trust,
} from './types';

const MAX_OWN_DEVICE_ID = 0x7fff_ffff;

/** The caller's own writes that go into the transaction which marks new devices as seen. */
export type AcknowledgeCommit = (deviceIds: readonly number[]) => Promise<readonly ExtraWrite[]>;

/** Our own bundle with the number that `markPublished` wants. */
export interface OwnBundle extends Bundle {
  readonly revision: number;
}

export interface OpenOptions {
  /** Mutual exclusion; across tabs where the browser has it unless given. */
  readonly locks?: Locks;
  /** Milliseconds since the epoch; `Date.now` unless given. */
  readonly now?: () => number;
  /**
   * What happens to a person's later devices before the user verified one: `trust` (and announce them, the default) or
   * `ask` the user first.
   */
  readonly newDevices?: NewDevicePolicy;
  /** The id that a new identity takes, if it is none of the taken ones; random unless given. 1 to 2^31 - 1. */
  readonly deviceId?: number;
  /** Device ids of the account's other devices, which a new identity must not take. */
  readonly takenDeviceIds?: readonly number[];
  /** Called after our prekeys changed: publish `bundle(format)` again. */
  readonly onBundleChanged?: (format: Format) => void;
}

/**
 * This browser as one OMEMO device of an account.
 *
 * Methods may be called at any time and in parallel, also from several tabs on the same store. Every change is durable
 * before the method's promise resolves. A method that throws has changed nothing, except that a changed identity key
 * is recorded for the user to judge.
 */
export class OmemoDevice {
  private constructor(private readonly context: Context) {}

  /**
   * Opens the account's device, and creates its identity on first use.
   *
   * @param jid Bare JID of the account; the store belongs to it.
   * @throws UsageError `bad-address`; `bad-argument` if the store belongs to another account.
   * @throws StoreError
   */
  static async open(store: E2eeStore, jid: string, options: OpenOptions = {}): Promise<OmemoDevice> {
    checkJid(jid);
    const locks = options.locks ?? defaultLocks();
    const account = await locks.run([`e2ee/${jid}/${ACCOUNT_KEY}`], () => obtainAccount(store, jid, options));
    const device = new OmemoDevice({
      store,
      locks,
      jid,
      deviceId: account.deviceId,
      identity: identityOf({ priv: account.identityPriv, pub: account.identityPub }),
      policy: options.newDevices ?? 'trust',
      now: options.now ?? Date.now,
      onBundleChanged: options.onBundleChanged ?? (() => {}),
      isCatchingUp: false,
    });
    await device.maintain();
    return device;
  }

  /** Our bare JID. */
  get jid(): string {
    return this.context.jid;
  }

  /** 1 to 2^31 - 1. */
  get deviceId(): number {
    return this.context.deviceId;
  }

  /** Our own fingerprint: eight groups of eight hex digits, the same in both formats. */
  fingerprint(): string {
    return formatFingerprint(this.context.identity.curve);
  }

  /** What is to be published for a format now; makes the format's prekeys on first use. */
  bundle(format: Format): Promise<OwnBundle> {
    const { identity, deviceId } = this.context;
    return this.withKeyRing(format, async (ring) => ({
      ...bundleOf(specOf(format), identity, deviceId, ring),
      revision: ring.revision,
    }));
  }

  /** Whether the bundle was never published or changed since `markPublished`; survives a crash in between. */
  isBundleStale(format: Format): Promise<boolean> {
    return this.withKeyRing(format, async (ring) => ring.revision !== ring.publishedRevision);
  }

  /** Records that a bundle is published. */
  async markPublished(format: Format, bundle: OwnBundle): Promise<void> {
    await this.withKeyRing(format, (ring) =>
      this.context.store.commit([writeKeyRing({ ...ring, publishedRevision: bundle.revision })]),
    );
  }

  /**
   * Replaces signed prekeys that are due and deletes what is past its time. `open` does it too; a client that runs for
   * long calls it once a day.
   */
  async maintain(): Promise<void> {
    const { identity, store } = this.context;
    for (const format of FORMATS) {
      const isChanged = await exclusively(this.context, [keyRingKey(format)], async () => {
        const ring = await loadKeyRing(this.context, format);
        const after = ring === undefined ? ring : maintain(specOf(format), identity, ring, this.context.now());
        if (after === undefined || after === ring) {
          return false;
        }
        await store.commit([writeKeyRing(after)]);
        return after.revision !== ring?.revision;
      });
      if (isChanged) {
        this.context.onBundleChanged(format);
      }
    }
  }

  /**
   * Says that archived messages are being fetched: one-time prekeys stay usable after their first use, because another
   * message that used the same one may still come (XEP-0384 0.8 §6.1).
   */
  beginCatchUp(): void {
    this.context.isCatchingUp = true;
  }

  /** Ends the catch-up and deletes the one-time prekeys that were used in it. */
  async endCatchUp(): Promise<void> {
    this.context.isCatchingUp = false;
    for (const format of FORMATS) {
      await exclusively(this.context, [keyRingKey(format)], async () => {
        const ring = await loadKeyRing(this.context, format);
        const after = ring === undefined ? ring : forgetUsedPreKeys(ring, Number.POSITIVE_INFINITY);
        if (after !== undefined && after !== ring) {
          await this.context.store.commit([writeKeyRing(after)]);
        }
      });
    }
  }

  /** All devices of a person that are known, listed now or not, without ourselves. */
  async devicesOf(jid: string): Promise<readonly DeviceRecord[]> {
    checkJid(jid);
    return (await loadContact(this.context, jid)).devices;
  }

  /**
   * Takes over a device list that somebody published.
   *
   * @param ids All ids in the list; an empty one if the node is missing.
   * @throws UsageError `bad-argument`, `bad-address`.
   */
  async updateDeviceList(jid: string, ids: readonly number[], format: Format): Promise<DeviceListChange> {
    const isOwn = jid === this.jid;
    const others = isOwn ? ids.filter((id) => id !== this.deviceId) : ids;
    const isOwnDeviceMissing = isOwn && others.length === ids.length;
    return this.changeContact(jid, (contact) => {
      const { policy, now } = this.context;
      const updated = updateList(contact, others, format, policy, now());
      // A list with this device alone is a list too: the next device is a new one, not one of the first.
      const hasList = updated.contact.hasList || ids.length > 0;
      return { contact: { ...updated.contact, hasList }, result: { ...updated.change, isOwnDeviceMissing } };
    });
  }

  /**
   * Records the user's decision about an identity key.
   *
   * @param fingerprint As shown, grouped or not.
   * @param deviceId The device beside which the user saw it, if it was one.
   * @throws TrustError `unknown-fingerprint` if no device of the person has or claims it, or that device shows another
   * key by now.
   */
  setTrust(jid: string, fingerprint: string, trust: Trust, deviceId?: number): Promise<void> {
    return this.changeContact(jid, (contact) => ({
      contact: decide(contact, fingerprint, trust, deviceId),
      result: undefined,
    }));
  }

  /**
   * Records that the user has seen the person's new devices, or is told of them in the same transaction.
   *
   * @param commit Writes of the caller's own that tell of the devices; called only if there are any. It must not call
   * this device.
   */
  acknowledgeDevices(jid: string, commit?: AcknowledgeCommit): Promise<void> {
    checkJid(jid);
    return exclusively(this.context, [contactKey(jid)], async () => {
      const contact = await loadContact(this.context, jid);
      const fresh = contact.devices.filter((device) => device.isNew).map((device) => device.deviceId);
      if (fresh.length > 0) {
        const extra = (await commit?.(fresh)) ?? [];
        await this.context.store.commit([writeContact(acknowledge(contact))], extra);
      }
    });
  }

  /** Whether a message can be encrypted to a device without fetching its bundle first. */
  async hasSession(address: Address, format: Format): Promise<boolean> {
    checkAddress(this.context, address);
    const contact = await loadContact(this.context, address.jid);
    const sessions = await loadSessions(this.context, format, address);
    return sessionsOfKey(sessions, findDevice(contact, address.deviceId)).length > 0;
  }

  /**
   * Sorts the listed devices of some people (give our own JID too) by what has to happen before a message can be
   * encrypted to all of them.
   */
  async plan(jids: readonly string[], format: Format): Promise<RecipientPlan> {
    const ready: Address[] = [];
    const needSession: Address[] = [];
    const undecided: DeviceRecord[] = [];
    const distrusted: DeviceRecord[] = [];
    for (const jid of new Set(jids)) {
      const devices = await this.devicesOf(jid);
      for (const device of devices.filter((listed) => listed.active.includes(format))) {
        const trust = effectiveTrust(device);
        const address = { jid, deviceId: device.deviceId };
        if (trust === 'distrusted') {
          distrusted.push(device);
        } else if (!isTrusted(trust)) {
          undecided.push(device);
          if (device.identityKey === null) {
            // Its bundle holds the key that the user is to decide about.
            needSession.push(address);
          }
        } else {
          ((await this.hasSession(address, format)) ? ready : needSession).push(address);
        }
      }
    }
    return { ready, needSession, undecided, distrusted };
  }

  /**
   * Begins a session from a device's bundle, beside those that exist: the next message uses it. Also the way to heal
   * one that failed: start a session, then `encrypt(null, …)` to the device.
   *
   * @throws WireError `malformed-bundle`, `bad-signature`, `weak-key`.
   * @throws TrustError `identity-changed` (the new key is recorded for the user to judge), `device-distrusted`.
   */
  async startSession(address: Address, bundle: Bundle, format: Format): Promise<void> {
    return startSession(this.context, address, bundle, format);
  }

  /**
   * Encrypts a message to devices that all have a session and are all trusted, or to none.
   *
   * @param plaintext Null for an empty message, which heals or advances a session.
   * @param recipients Devices of any number of people, our own other devices among them.
   * @param commit Writes of the caller's own for the same transaction; it must not call this device.
   * @throws TrustError `untrusted-devices`, with all that are not.
   * @throws SessionError `no-session`, with all that have none.
   * @throws UsageError `bad-address`, `bad-argument` for no recipients.
   */
  async encrypt(
    plaintext: Uint8Array | null,
    recipients: readonly Address[],
    format: Format,
    commit?: EncryptCommit,
  ): Promise<Encrypted> {
    return encrypt(this.context, plaintext, recipients, format, commit);
  }

  /**
   * Decrypts a message.
   *
   * Messages that the caller knows to have decrypted before (an archive shows them again) should not come here: the
   * sessions recognise their duplicates for a long time, not for ever, and then report `bad-mac` or `unknown-prekey`.
   *
   * @param from The sender's bare JID and the `sid` of the header. The JID has to come from the stanza that the server
   * vouches for.
   * @param key The entry that is for us.
   * @param iv The header's IV (legacy only).
   * @param payload Null if the message has none.
   * @param commit Writes of the caller's own for the same transaction (the decrypted message, for example); it must
   * not call this device. If it throws, the message stays undecrypted.
   * @throws SessionError `duplicate-message`: it was decrypted before, ignore it. Any other: rebuild the session.
   * @throws TrustError `device-distrusted`, `identity-changed`; the message can be decrypted after `setTrust`.
   * @throws WireError `malformed-message`, `unsupported-version`, `weak-key`, `payload-corrupt`.
   */
  async decrypt(
    from: Address,
    key: IncomingKey,
    iv: Uint8Array | null,
    payload: Uint8Array | null,
    format: Format,
    commit?: DecryptCommit,
  ): Promise<Decrypted> {
    return decrypt(this.context, from, key, iv, payload, format, commit);
  }

  private changeContact<T>(jid: string, change: (contact: Contact) => { contact: Contact; result: T }): Promise<T> {
    checkJid(jid);
    return exclusively(this.context, [contactKey(jid)], async () => {
      const { contact, result } = change(await loadContact(this.context, jid));
      await this.context.store.commit([writeContact(contact)]);
      return result;
    });
  }

  private withKeyRing<T>(format: Format, task: (ring: KeyRing) => Promise<T>): Promise<T> {
    return exclusively(this.context, [keyRingKey(format)], async () => {
      const existing = await loadKeyRing(this.context, format);
      if (existing !== undefined) {
        return task(existing);
      }
      const ring = createKeyRing(specOf(format), this.context.identity, this.context.now());
      await this.context.store.commit([writeKeyRing(ring)]);
      return task(ring);
    });
  }
}

async function obtainAccount(store: E2eeStore, jid: string, options: OpenOptions): Promise<Account> {
  const existing = (await store.get(ACCOUNT_KEY)) as Account | undefined;
  if (existing !== undefined) {
    if (existing.jid !== jid) {
      throw new UsageError('bad-argument', 'the store belongs to another account');
    }
    return existing;
  }
  const pair = generateKeyPair();
  const deviceId = freeDeviceId(options.deviceId, options.takenDeviceIds ?? []);
  const account: Account = { jid, deviceId, identityPriv: pair.priv, identityPub: pair.pub };
  await store.commit([{ key: ACCOUNT_KEY, value: account }]);
  return account;
}

function freeDeviceId(wanted: number | undefined, taken: readonly number[]): number {
  if (wanted !== undefined && !taken.includes(wanted)) {
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_OWN_DEVICE_ID) {
      throw new UsageError('bad-argument', 'an own device id is a number from 1 to 2^31 - 1');
    }
    return wanted;
  }
  for (;;) {
    const random = randomBytes(4);
    const id = new DataView(random.buffer, random.byteOffset).getUint32(0) & MAX_OWN_DEVICE_ID;
    if (id !== 0 && !taken.includes(id)) {
      return id;
    }
  }
}
