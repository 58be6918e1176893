import 'fake-indexeddb/auto';
import { Window } from 'happy-dom';
import { beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../e2ee';
import type { DeviceInfo } from '../model';
import { ManualClock } from './clock';
import { ClientDb } from './db';
import { LIST_LIFE_MS, MAINTENANCE_MS, RETRY_MS } from './device-lists';
import { omemoDeviceIdOf } from './devices';
import { OfflineError, StanzaError } from './errors';
import { NS } from './ns';
import { parseBundle } from './pep';
import { Sealing, type SealOutcome } from './sealing';
import { parseMessage, type SealedPayload } from './stanzas';
import { FakeEvents } from './testing/fake-events';
import { find, fromElement, type XmlNode, x } from './xml';

const ALICE = 'alice@home';
const BOB = 'bob@home';
const DAY_MS = 24 * 3600_000;

const parser = new new Window().DOMParser();

let events: FakeEvents;
let clock: ManualClock;

/** One installation. */
class Installation {
  readonly notes: string[] = [];
  readonly told: number[][] = [];
  readonly toldNames: (string | undefined)[] = [];
  mayNotice = true;
  /** Thrown in place of storing notes. */
  noteFailure: Error | null = null;
  readonly link: ReturnType<FakeEvents['link']>;
  sealing!: Sealing;

  constructor(
    readonly jid: string,
    readonly resource: string,
    readonly db: ClientDb,
  ) {
    this.link = events.link(jid);
  }

  static async open(jid: string, resource = 'phone', db?: ClientDb): Promise<Installation> {
    const its = new Installation(jid, resource, db ?? (await ClientDb.open(`sealing-${crypto.randomUUID()}`)));
    its.sealing = await Sealing.open({
      db: its.db,
      link: its.link,
      clock,
      account: { jid, resource, deviceName: resource },
      mayNotice: async () => its.mayNotice,
      events: {
        onNote: (_jid, note, deviceId) => void its.notes.push(`${note} ${deviceId}`),
        planNotes: async (_jid, deviceIds, names) => {
          if (its.noteFailure) {
            throw its.noteFailure;
          }
          its.told.push([...deviceIds]);
          its.toldNames.push(...deviceIds.map((deviceId) => names.get(deviceId)));
          return [];
        },
        onDevicesChanged: () => undefined,
      },
    });
    return its;
  }

  static async online(jid: string, resource?: string): Promise<Installation> {
    const its = await Installation.open(jid, resource);
    await its.sealing.beginSession();
    return its;
  }

  id(): Promise<number> {
    return omemoDeviceIdOf(this.resource);
  }

  seal(to: string, text = 'hello'): Promise<SealOutcome> {
    return this.sealing.seal(to, 'id', text, async () => []);
  }

  /** Seals a text; what comes out has to be ready to send. */
  async message(to: string, text = 'hello'): Promise<SealedPayload> {
    const outcome = await this.seal(to, text);
    if (outcome.kind !== 'sealed') {
      throw new Error(`it waits for ${outcome.for}`);
    }
    const stanza = fromElement(
      parser.parseFromString(outcome.stanza, 'text/xml').documentElement as unknown as Element,
    );
    const sealed = parseMessage(stanza, to)?.sealed;
    if (!sealed) {
      throw new Error('nothing is sealed in it');
    }
    return sealed;
  }

  unseal(from: string, sealed: SealedPayload, commit: (text: string) => Promise<[]> = async () => []) {
    return this.sealing.unseal({ from, isOwn: from === this.jid }, sealed, commit);
  }
}

function listOf(jid: string): string {
  return `${jid} ${NS.deviceList}`;
}

async function bundleOf(its: Installation): Promise<string> {
  return `${its.jid} ${NS.bundles}:${await its.id()}`;
}

/** Lets what was begun on a clock come to its end. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) {
      throw new Error('it never came to that');
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  events = new FakeEvents();
  clock = new ManualClock();
});

describe('a list that cannot be had', () => {
  const refusals = [
    new StanzaError('forbidden', 'auth'),
    new StanzaError('service-unavailable', 'cancel'),
    new StanzaError('internal-server-error', 'cancel'),
    new StanzaError('remote-server-timeout', 'wait'),
    new StanzaError('resource-constraint', 'wait'),
  ];

  it.each(refusals)('holds the message back for now: $condition', async (refusal) => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    events.refusals.set(listOf(BOB), refusal);
    expect(await alice.seal(BOB)).toEqual({ kind: 'wait', for: 'devices', isPassing: true });
    events.refusals.clear();
    expect(await alice.seal(BOB)).toMatchObject({ kind: 'sealed' });
  });

  it('holds it back also when the devices of some time ago are known', async () => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.message(BOB);
    clock.advance(LIST_LIFE_MS);
    events.refusals.set(listOf(BOB), new StanzaError('internal-server-error', 'cancel'));
    expect(await alice.seal(BOB)).toMatchObject({ kind: 'wait', isPassing: true });
  });

  it('holds it back when it is our own, or the bundle of a device', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const tablet = await Installation.online(BOB, 'tablet');
    events.refusals.set(await bundleOf(tablet), new StanzaError('internal-server-error', 'cancel'));
    expect(await alice.seal(BOB)).toMatchObject({ kind: 'wait', isPassing: true });
    events.refusals.clear();
    clock.advance(LIST_LIFE_MS);
    events.refusals.set(listOf(BOB), new StanzaError('internal-server-error', 'cancel'));
    expect(await bob.seal(ALICE)).toMatchObject({ kind: 'wait', isPassing: true });
  });

  it('is no list that nobody is on', async () => {
    const alice = await Installation.online(ALICE);
    expect(await alice.seal(BOB)).toEqual({ kind: 'wait', for: 'devices' });
  });

  it('tells of an address without a server', async () => {
    const alice = await Installation.online(ALICE);
    events.refusals.set(listOf(BOB), new StanzaError('remote-server-not-found', 'cancel'));
    await expect(alice.seal(BOB)).rejects.toMatchObject({ condition: 'remote-server-not-found' });
  });

  it('is not published over, and published when it can be read', async () => {
    events.publishList(ALICE, [77]);
    events.refusals.set(listOf(ALICE), new StanzaError('internal-server-error', 'cancel'));
    const alice = await Installation.open(ALICE);
    await expect(alice.sealing.beginSession()).rejects.toThrow(StanzaError);
    expect(events.list(ALICE)).toEqual(['77']);
    events.refusals.clear();
    clock.advance(RETRY_MS);
    const own = String(await alice.id());
    await until(() => events.list(ALICE).includes(own));
    expect(events.list(ALICE)).toEqual(['77', own]);
  });
});

describe('lists of people who send no events', () => {
  it('are read again after a while, and not before', async () => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    expect((await alice.message(BOB)).keys).toHaveLength(1);
    await Installation.online(BOB, 'tablet');
    clock.advance(LIST_LIFE_MS - 1);
    expect((await alice.message(BOB)).keys).toHaveLength(1);
    clock.advance(1);
    expect((await alice.message(BOB)).keys).toHaveLength(2);
  });

  it('are read again as soon as a device writes that is not on them', async () => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.message(BOB);
    const tablet = await Installation.online(BOB, 'tablet');
    expect(await alice.unseal(BOB, await tablet.message(ALICE))).toEqual({ kind: 'opened' });
    const answer = await alice.message(BOB);
    expect(answer.keys).toHaveLength(2);
    expect(await tablet.unseal(ALICE, answer)).toEqual({ kind: 'opened' });
    events.asked.length = 0;
    await alice.unseal(BOB, await tablet.message(ALICE));
    await alice.message(BOB);
    expect(events.asked).not.toContain(listOf(BOB));
  });

  it('a device that had no bundle is asked for one again', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const tablet = await Installation.online(BOB, 'tablet');
    const bundle = events.nodes.get(await bundleOf(tablet)) as XmlNode;
    events.nodes.delete(await bundleOf(tablet));
    expect((await alice.message(BOB)).keys.map((key) => key.deviceId)).toEqual([await bob.id()]);
    events.nodes.set(await bundleOf(tablet), bundle);
    clock.advance(LIST_LIFE_MS);
    expect((await alice.message(BOB)).keys).toHaveLength(2);
  });
});

describe('our own device', () => {
  it('is published again when the server has lost it, or its keys', async () => {
    const alice = await Installation.online(ALICE);
    const all = new Map(events.nodes);
    expect(all.size).toBe(2);
    events.nodes.clear();
    await alice.sealing.beginSession();
    expect([...events.nodes.keys()].sort()).toEqual([...all.keys()].sort());
    events.nodes.delete(await bundleOf(alice));
    await alice.sealing.beginSession();
    expect(events.nodes.has(await bundleOf(alice))).toBe(true);
  });

  it('is published again when the server has older keys, and else left alone', async () => {
    const alice = await Installation.online(ALICE);
    const old = events.nodes.get(await bundleOf(alice)) as XmlNode;
    const bob = await Installation.online(BOB);
    await alice.unseal(BOB, await bob.message(ALICE));
    const key = await bundleOf(alice);
    await until(() => events.nodes.get(key) !== old);
    events.nodes.set(await bundleOf(alice), old);
    await alice.sealing.beginSession();
    expect(events.nodes.get(await bundleOf(alice))).not.toBe(old);
    events.published.length = 0;
    await alice.sealing.beginSession();
    expect(events.published).toEqual([]);
  });

  it('gets new keys while the page stays open', async () => {
    const alice = await Installation.online(ALICE);
    const before = await publishedKey(alice);
    for (let passed = 0; passed <= 8 * DAY_MS; passed += MAINTENANCE_MS) {
      clock.advance(MAINTENANCE_MS);
    }
    await until(async () => (await publishedKey(alice)) !== before);
    alice.sealing.lists.stop();
  });

  it('says by its id which installation it belongs to', async () => {
    const alice = await Installation.online(ALICE, 'parley-web.0a1b2c3d');
    expect(events.list(ALICE)).toEqual([String(await omemoDeviceIdOf('parley-web.0a1b2c3d'))]);
    expect(await alice.id()).not.toBe(await omemoDeviceIdOf('parley-web.0a1b2c3e'));
  });
});

describe('a device that was signed out', () => {
  it('goes off the list', async () => {
    const [phone, lost] = [await Installation.online(ALICE), await Installation.online(ALICE, 'lost')];
    await phone.sealing.lists.drop(await lost.id());
    expect(events.list(ALICE)).toEqual([String(await phone.id())]);
  });

  it('goes off the list with the next session when the line is lost', async () => {
    const [phone, lost] = [await Installation.online(ALICE), await Installation.online(ALICE, 'lost')];
    events.refusals.set(listOf(ALICE), new OfflineError('session-lost'));
    await phone.sealing.lists.drop(await lost.id());
    events.refusals.clear();
    const again = await Installation.open(ALICE, 'phone', phone.db);
    await again.sealing.beginSession();
    expect(events.list(ALICE)).toEqual([String(await phone.id())]);
  });

  it('may come back: once it is off, nobody takes it off again', async () => {
    const [phone, lost] = [await Installation.online(ALICE), await Installation.online(ALICE, 'lost')];
    await phone.sealing.lists.drop(await lost.id());
    await lost.sealing.beginSession();
    await phone.sealing.beginSession();
    expect(events.list(ALICE)).toHaveLength(2);
  });

  it('goes with all others', async () => {
    const phone = await Installation.online(ALICE);
    await Installation.online(ALICE, 'tablet');
    await phone.sealing.lists.retire('all');
    expect(events.list(ALICE)).toEqual([]);
    await phone.sealing.lists.onEvent(ALICE, []);
    expect(events.list(ALICE)).toEqual([]);
  });
});

describe('a decision', () => {
  it('is about the key that was seen', async () => {
    const alice = await Installation.online(ALICE);
    const bob = await Installation.online(BOB);
    const [seen] = (await alice.sealing.devices(BOB)) as [DeviceInfo];
    // Another key appears under the same device id.
    events.nodes.delete(await bundleOf(bob));
    const impostor = await Installation.online(BOB);
    await alice.unseal(BOB, await impostor.message(ALICE));
    const decided = alice.sealing.setTrust(BOB, seen.deviceId, seen.fingerprint.join(''), 'verified');
    await expect(decided).rejects.toMatchObject({ code: 'unknown-fingerprint' });
    expect(await alice.sealing.devices(BOB)).toMatchObject([{ trust: 'undecided' }]);
    const [now] = (await alice.sealing.devices(BOB)) as [DeviceInfo];
    await alice.sealing.setTrust(BOB, now.deviceId, now.fingerprint.join(''), 'verified');
    expect(await alice.sealing.devices(BOB)).toMatchObject([{ trust: 'verified' }]);
  });
});

describe('after a device was verified', () => {
  /** Verifies all devices of a person as Alice sees them. */
  async function verify(alice: Installation, jid: string): Promise<void> {
    for (const { deviceId, fingerprint, isThisDevice } of await alice.sealing.devices(jid)) {
      if (!isThisDevice) {
        await alice.sealing.setTrust(jid, deviceId, fingerprint.join(' '), 'verified');
      }
    }
  }

  async function announce(alice: Installation, jid: string): Promise<void> {
    await alice.sealing.lists.onEvent(jid, events.list(jid).map(Number));
  }

  it.each([
    ['the other person', BOB, 'trust'],
    ['our own account', ALICE, 'own-trust'],
  ])('a later one of %s holds messages until it is decided about', async (_, owner, reason) => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    if (owner === ALICE) {
      await Installation.online(ALICE, 'laptop');
      await announce(alice, ALICE);
    }
    await verify(alice, owner);
    const before = (await alice.message(BOB)).keys.length;
    const late = await Installation.online(owner, 'late');
    await announce(alice, owner);
    expect(alice.told.at(-1)).toEqual([await late.id()]);
    expect(await alice.seal(BOB)).toEqual({ kind: 'wait', for: reason });
    const shown = (await alice.sealing.devices(owner)).find((device) => device.trust === 'undecided');
    const [own] = (await late.sealing.devices(owner)) as [DeviceInfo];
    expect(shown).toMatchObject({ deviceId: await late.id(), fingerprint: own.fingerprint });
    await verify(alice, owner);
    const sealed = await alice.message(BOB);
    expect(sealed.keys).toHaveLength(before + 1);
    expect(await late.unseal(ALICE, sealed)).toEqual({ kind: 'opened' });
  });

  it('a later one is named with what it writes, until it is trusted', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const keys: (string | null)[] = [];
    const open = async (its: Installation) => {
      const sealed = await its.message(ALICE);
      await alice.sealing.unseal({ from: BOB, isOwn: false }, sealed, async (_text, key) => {
        keys.push(key);
        return [];
      });
    };
    await open(bob);
    await verify(alice, BOB);
    const late = await Installation.online(BOB, 'late');
    await open(late);
    const [{ fingerprint }] = (await late.sealing.devices(BOB)) as [DeviceInfo];
    expect(keys).toEqual([null, fingerprint.join(' ')]);
    expect((await alice.sealing.trustedKeys(BOB)).has(fingerprint.join(' '))).toBe(false);
    await verify(alice, BOB);
    expect((await alice.sealing.trustedKeys(BOB)).has(fingerprint.join(' '))).toBe(true);
    await open(late);
    expect(keys.at(-1)).toBeNull();
  });

  it('a later one without a bundle holds nothing, until it shows a key', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await verify(alice, BOB);
    const late = await Installation.online(BOB, 'late');
    const bundle = events.nodes.get(await bundleOf(late)) as XmlNode;
    events.nodes.delete(await bundleOf(late));
    await announce(alice, BOB);
    expect((await alice.message(BOB)).keys.map((key) => key.deviceId)).toEqual([await bob.id()]);
    events.nodes.set(await bundleOf(late), bundle);
    clock.advance(LIST_LIFE_MS);
    expect(await alice.seal(BOB)).toEqual({ kind: 'wait', for: 'trust' });
  });

  it('a later one that cannot be asked just now holds them for now', async () => {
    const [alice] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await verify(alice, BOB);
    const late = await Installation.online(BOB, 'late');
    events.refusals.set(await bundleOf(late), new StanzaError('internal-server-error', 'cancel'));
    await announce(alice, BOB);
    expect(await alice.seal(BOB)).toEqual({ kind: 'wait', for: 'devices', isPassing: true });
  });
});

describe('what goes wrong while a message is opened', () => {
  it.each([
    new DOMException('closed', 'InvalidStateError'),
    new StoreError('store-unavailable', 'full'),
    new OfflineError('session-lost'),
    new TypeError('a mistake'),
  ])('says nothing about the message: %s', async (failure) => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const sealed = await bob.message(ALICE);
    await expect(alice.unseal(BOB, sealed, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await alice.unseal(BOB, sealed)).toEqual({ kind: 'opened' });
  });

  it('but a changed message is broken for good', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const sealed = await bob.message(ALICE);
    const changed = { ...sealed, payload: new Uint8Array(sealed.payload ?? []).fill(1) };
    expect(await alice.unseal(BOB, changed)).toEqual({ kind: 'unreadable', reason: 'broken' });
    expect(await alice.unseal(BOB, sealed)).toEqual({ kind: 'opened' });
  });

  it('one that was opened already is no broken one, whatever stands under our id besides', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    const sealed = await bob.message(ALICE);
    await alice.unseal(BOB, sealed);
    const other = { deviceId: await alice.id(), data: new Uint8Array(80).fill(0x33), preKey: false };
    const twice = { ...sealed, keys: [...sealed.keys, other] };
    expect(await alice.unseal(BOB, twice)).toEqual({ kind: 'nothing' });
  });
});

describe('new devices', () => {
  it('are told of once, also when it failed the first time', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.message(BOB);
    const tablet = await Installation.online(BOB, 'tablet');
    const ids = [await bob.id(), await tablet.id()];
    alice.noteFailure = new StoreError('store-unavailable', 'full');
    await expect(alice.sealing.lists.onEvent(BOB, ids)).rejects.toThrow(StoreError);
    expect(alice.told).toEqual([]);
    // As after a crash.
    const again = await Installation.open(ALICE, 'phone', alice.db);
    await again.sealing.lists.onEvent(BOB, ids);
    await again.sealing.lists.onEvent(BOB, ids);
    expect(again.told).toEqual([[await tablet.id()]]);
  });

  it('of our own account are called by the name that they signed in with', async () => {
    events.names.set(ALICE, { phone: 'Firefox on Linux', laptop: 'Chrome on Windows' });
    const phone = await Installation.online(ALICE);
    await phone.sealing.lists.onEvent(ALICE, [await phone.id()]);
    const laptop = await Installation.online(ALICE, 'laptop');
    await phone.sealing.lists.onEvent(ALICE, [await phone.id(), await laptop.id()]);
    expect(phone.toldNames).toEqual(['Chrome on Windows']);
    const named = async () => (await phone.sealing.devices(ALICE)).map(({ deviceId, name }) => [deviceId, name]);
    expect(await named()).toContainEqual([await laptop.id(), 'Chrome on Windows']);
    phone.link.isOpen = false;
    expect(await named()).toContainEqual([await laptop.id(), 'Chrome on Windows']);
  });

  it('of others have no name', async () => {
    events.names.set(ALICE, { phone: 'Firefox on Linux', tablet: 'Phone' });
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.message(BOB);
    const tablet = await Installation.online(BOB, 'tablet');
    await alice.sealing.lists.onEvent(BOB, [await bob.id(), await tablet.id()]);
    expect(alice.toldNames).toEqual([undefined]);
    expect((await alice.sealing.devices(BOB)).map(({ name }) => name)).toEqual(['', '']);
  });

  it('are told of when they write before they are on the list', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.message(BOB);
    const tablet = await Installation.online(BOB, 'tablet');
    await alice.unseal(BOB, await tablet.message(ALICE));
    expect(alice.told).toEqual([[await tablet.id()]]);
    await alice.sealing.lists.onEvent(BOB, [await bob.id(), await tablet.id()]);
    expect(alice.told).toHaveLength(1);
  });
});

describe('a stranger', () => {
  it('gets no answer that the person did not write', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    alice.mayNotice = false;
    events.asked.length = 0;
    expect(await alice.unseal(BOB, await bob.message(ALICE))).toEqual({ kind: 'opened' });
    const broken = {
      ...(await bob.message(ALICE)),
      keys: [{ deviceId: await alice.id(), data: new Uint8Array(40), preKey: false }],
    };
    await alice.unseal(BOB, broken);
    expect(alice.link.sent).toEqual([]);
    expect(events.asked.filter((key) => key.startsWith(BOB) && key.includes('bundles'))).toEqual([]);
  });

  it('as a friend gets', async () => {
    const [alice, bob] = [await Installation.online(ALICE), await Installation.online(BOB)];
    await alice.unseal(BOB, await bob.message(ALICE));
    expect(alice.link.sent).toHaveLength(1);
  });
});

async function publishedKey(its: Installation): Promise<string | undefined> {
  const item = events.nodes.get(await bundleOf(its));
  const bundle = find(item, NS.axolotl, 'bundle') ?? x(NS.axolotl, 'bundle');
  return parseBundle(bundle, 1)?.signedPreKey.join();
}
