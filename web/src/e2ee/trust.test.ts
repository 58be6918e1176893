import { describe, expect, test } from 'vitest';
import { generateKeyPair } from './primitives';
import { connect, hear, type Person, person, say, textOf } from './test-people';
import {
  type Contact,
  decide,
  effectiveTrust,
  findDevice,
  formatFingerprint,
  judgedKeysOf,
  MAX_KNOWN_DEVICES,
  MAX_LISTED_DEVICES,
  observeKey,
  unknownContact,
  updateList,
} from './trust';
import type { DeviceRecord, Trust } from './types';

const ALICE = 'alice@parley.example';
const BOB = 'bob@parley.example';
const NOW = 1_700_000_000_000;

function listed(ids: readonly number[], contact = unknownContact(BOB)): Contact {
  return updateList(contact, ids, 'legacy', 'trust', NOW).contact;
}

function device(contact: Contact, id: number): DeviceRecord {
  return findDevice(contact, id) ?? expect.unreachable();
}

describe('device lists', () => {
  test('the first devices are trusted quietly, later ones are announced', () => {
    const first = updateList(unknownContact(BOB), [1, 2], 'legacy', 'trust', NOW);
    expect(first.change).toEqual({ added: [1, 2], removed: [], reappeared: [], announced: [] });
    const second = updateList(first.contact, [1, 3], 'legacy', 'trust', NOW);
    expect(second.change).toEqual({ added: [3], removed: [2], reappeared: [], announced: [3] });
    expect(device(second.contact, 3)).toMatchObject({ trust: 'trusted-first-use', isNew: true });
    expect(device(second.contact, 1)).toMatchObject({ trust: 'trusted-first-use', isNew: false });
  });

  test('a policy can make later devices wait for the user', () => {
    const { contact } = updateList(listed([1]), [1, 2], 'legacy', 'ask', NOW);
    expect(device(contact, 2).trust).toBe('undecided');
  });

  test('an empty list is nobody’s first devices', () => {
    const { change } = updateList(listed([]), [1], 'legacy', 'trust', NOW);
    expect(change.announced).toEqual([]);
  });

  test('the other format’s list brings no new devices', () => {
    const { contact, change } = updateList(listed([1, 2]), [1, 2], 'omemo2', 'trust', NOW);
    expect(change).toEqual({ added: [], removed: [], reappeared: [], announced: [] });
    expect(device(contact, 1).active).toEqual(['legacy', 'omemo2']);
  });

  test('a device with a key is remembered when it goes, and recognised when it is back', () => {
    const key = generateKeyPair().pub;
    const seen = observeKey(listed([1, 2]), 1, key, 'trust', NOW).contact;
    const gone = updateList(seen, [], 'legacy', 'trust', NOW);
    expect(gone.change.removed).toEqual([1, 2]);
    expect(gone.contact.devices.map((each) => each.deviceId)).toEqual([1]);
    const back = updateList(gone.contact, [1, 2], 'legacy', 'trust', NOW);
    expect(back.change).toEqual({ added: [2], removed: [], reappeared: [1], announced: [2] });
    expect(device(back.contact, 1)).toMatchObject({ identityKey: key, isNew: false });
  });

  test('lists have a bound, and so has the memory', () => {
    const ids = Array.from({ length: MAX_LISTED_DEVICES + 1 }, (_, index) => index + 1);
    expect(listed(ids).devices.map((each) => each.deviceId)).toEqual(ids.slice(0, MAX_LISTED_DEVICES));
    expect(() => listed([0])).toThrow(expect.objectContaining({ code: 'bad-argument' }));
    let contact = unknownContact(BOB);
    for (let id = 1; id <= MAX_KNOWN_DEVICES + 3; id += 1) {
      contact = observeKey(contact, id, Uint8Array.of(id % 256, id >> 8), 'trust', NOW + id).contact;
    }
    expect(contact.devices).toHaveLength(MAX_KNOWN_DEVICES);
    expect(findDevice(contact, 1)).toBeUndefined();
  });
});

describe('identity keys', () => {
  const key = generateKeyPair().pub;
  const other = generateKeyPair().pub;
  const known = observeKey(listed([1]), 1, key, 'trust', NOW).contact;

  test('a fingerprint is eight groups of eight hex digits', () => {
    expect(formatFingerprint(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(
      '00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f',
    );
  });

  test('the first key is taken, the same one changes nothing', () => {
    expect(device(known, 1)).toMatchObject({ identityKey: key, trust: 'trusted-first-use' });
    const again = observeKey(known, 1, key, 'trust', NOW);
    expect(again.verdict).toBe('accepted');
    expect(again.contact).toEqual(known);
  });

  test.each<Trust>(['trusted-first-use', 'verified'])('a changed key of a %s device waits for the user', (trust) => {
    const before = decide(known, formatFingerprint(key), trust);
    const { contact, verdict } = observeKey(before, 1, other, 'trust', NOW);
    expect(verdict).toBe('changed');
    expect(device(contact, 1)).toMatchObject({ identityKey: key, trust });
    expect(effectiveTrust(device(contact, 1))).toBe('undecided');
    const accepted = decide(contact, formatFingerprint(other), 'verified');
    expect(device(accepted, 1)).toMatchObject({ identityKey: other, trust: 'verified', changedKey: null });
    const refused = decide(contact, formatFingerprint(other), 'distrusted');
    expect(effectiveTrust(device(refused, 1))).toBe(trust);
    expect(observeKey(refused, 1, other, 'trust', NOW).verdict).toBe('distrusted');
    expect(observeKey(refused, 1, key, 'trust', NOW).verdict).toBe('accepted');
  });

  test('a third key asks again', () => {
    const changed = observeKey(known, 1, other, 'trust', NOW).contact;
    const refused = decide(changed, formatFingerprint(other), 'distrusted');
    const third = generateKeyPair().pub;
    expect(observeKey(refused, 1, third, 'trust', NOW)).toMatchObject({
      verdict: 'changed',
      device: { changedKey: { identityKey: third, trust: 'undecided' } },
    });
  });

  test('decisions are by fingerprint, in any writing', () => {
    const plain = formatFingerprint(key).replaceAll(' ', '').toUpperCase();
    expect(device(decide(known, plain, 'verified'), 1).trust).toBe('verified');
    expect(() => decide(known, formatFingerprint(other), 'verified')).toThrow(
      expect.objectContaining({ code: 'unknown-fingerprint' }),
    );
  });
});

describe('after the user verified a device', () => {
  const key = generateKeyPair().pub;
  const late = generateKeyPair().pub;
  const fingerprint = formatFingerprint(key);
  const known = observeKey(listed([1]), 1, key, 'trust', NOW).contact;
  const verified = decide(known, fingerprint, 'verified');

  test('one that comes later waits for the user, and is announced', () => {
    const { contact, change } = updateList(verified, [1, 2], 'legacy', 'trust', NOW);
    expect(change.announced).toEqual([2]);
    expect(device(contact, 2)).toMatchObject({ trust: 'undecided', isNew: true });
    const shown = observeKey(contact, 2, late, 'trust', NOW);
    expect(shown.verdict).toBe('undecided');
    expect(device(decide(shown.contact, formatFingerprint(late), 'verified'), 2).trust).toBe('verified');
  });

  test('so does one that writes before it is on the list', () => {
    const { device: seen, verdict } = observeKey(verified, 2, late, 'trust', NOW);
    expect(verdict).toBe('undecided');
    expect(seen).toMatchObject({ trust: 'undecided', isNew: true });
  });

  test('it stays so when the verified device is distrusted, gone, or has another key', () => {
    const distrusted = decide(verified, fingerprint, 'distrusted');
    const gone = updateList(verified, [], 'legacy', 'trust', NOW).contact;
    const changed = observeKey(verified, 1, late, 'trust', NOW).contact;
    const replaced = decide(changed, formatFingerprint(late), 'trusted-first-use');
    for (const contact of [distrusted, gone, replaced]) {
      expect(device(updateList(contact, [1, 2], 'legacy', 'trust', NOW).contact, 2).trust).toBe('undecided');
    }
  });

  test('records from before it was remembered tell by their devices', () => {
    const { hasVerified: _, ...older } = verified;
    expect(device(updateList(older, [1, 2], 'legacy', 'trust', NOW).contact, 2).trust).toBe('undecided');
  });

  test('those that are known stay trusted, but not the ones that never showed a key', () => {
    const both = observeKey(listed([1, 2, 3]), 1, key, 'trust', NOW).contact;
    const three = observeKey(both, 2, late, 'trust', NOW).contact;
    const after = decide(three, fingerprint, 'verified');
    expect(after.devices.map((each) => each.trust)).toEqual(['verified', 'trusted-first-use', 'undecided']);
    expect(decide(three, fingerprint, 'distrusted').devices.map((each) => each.trust)).toEqual([
      'distrusted',
      'trusted-first-use',
      'trusted-first-use',
    ]);
  });

  test('the memory of undecided ones has the same bound', () => {
    let contact = verified;
    for (let id = 2; id <= MAX_KNOWN_DEVICES + 3; id += 1) {
      contact = observeKey(contact, id, Uint8Array.of(id % 256, id >> 8), 'trust', NOW + id).contact;
    }
    expect(contact.devices).toHaveLength(MAX_KNOWN_DEVICES);
    expect(device(contact, 1).trust).toBe('verified');
    expect(findDevice(contact, 2)).toBeUndefined();
  });
});

describe('what trust does to messages', () => {
  async function pair(): Promise<{ alice: Person; bob: Person }> {
    const alice = await person(ALICE);
    const bob = await person(BOB);
    await alice.device.updateDeviceList(BOB, [bob.address.deviceId], 'legacy');
    await connect(alice, bob, 'legacy');
    await hear(bob, alice, await say(alice, 'hello', [bob], 'legacy'));
    await hear(alice, bob, await say(bob, 'hello', [alice], 'legacy'));
    return { alice, bob };
  }

  test('nothing goes to a distrusted device, and nothing comes from it', async () => {
    const { alice, bob } = await pair();
    const onItsWay = await say(bob, 'hi', [alice], 'legacy');
    await alice.device.setTrust(BOB, bob.device.fingerprint(), 'distrusted');
    const before = alice.store.snapshot();
    await expect(say(alice, 'no', [bob], 'legacy')).rejects.toMatchObject({
      code: 'untrusted-devices',
      devices: [expect.objectContaining(bob.address)],
    });
    await expect(hear(alice, bob, onItsWay)).rejects.toMatchObject({ code: 'device-distrusted' });
    expect(alice.store.snapshot()).toEqual(before);
    await alice.device.setTrust(BOB, bob.device.fingerprint(), 'verified');
    expect(await hear(alice, bob, onItsWay)).toMatchObject({
      trust: 'verified',
      identityFingerprint: bob.device.fingerprint(),
    });
  });

  test('one undecided device holds the message back from all, and is named', async () => {
    const { alice, bob } = await pair();
    const cautious = await person(ALICE, { newDevices: 'ask' }, alice.store);
    const late = await person(BOB);
    await cautious.device.updateDeviceList(BOB, [bob.address.deviceId, late.address.deviceId], 'legacy');
    await connect(cautious, late, 'legacy');
    await expect(say(cautious, 'no', [bob, late], 'legacy')).rejects.toMatchObject({
      code: 'untrusted-devices',
      devices: [expect.objectContaining(late.address)],
    });
    await cautious.device.setTrust(BOB, late.device.fingerprint(), 'verified');
    const sent = await say(cautious, 'yes', [bob, late], 'legacy');
    expect(textOf(await hear(late, cautious, sent))).toBe('yes');
  });

  test('a reinstalled device with its old id is refused until the user decides', async () => {
    const { alice, bob } = await pair();
    const impostor = await reinstalled(bob);
    await expect(connect(alice, impostor, 'legacy')).rejects.toMatchObject({
      code: 'identity-changed',
      devices: [expect.objectContaining({ changedKey: expect.objectContaining({ trust: 'undecided' }) })],
    });
    await expect(say(alice, 'no', [bob], 'legacy')).rejects.toMatchObject({ code: 'untrusted-devices' });
    await alice.device.setTrust(BOB, impostor.device.fingerprint(), 'trusted-first-use');
    // The session with the old key is never used again.
    await expect(say(alice, 'no', [bob], 'legacy')).rejects.toMatchObject({ code: 'no-session' });
    await connect(alice, impostor, 'legacy');
    expect(textOf(await hear(impostor, alice, await say(alice, 'welcome', [impostor], 'legacy')))).toBe('welcome');
  });

  test('its first message is refused too, and can be read after the decision', async () => {
    const { alice, bob } = await pair();
    const impostor = await reinstalled(bob);
    await connect(impostor, alice, 'legacy');
    const message = await say(impostor, 'it is me', [alice], 'legacy');
    const offered = await alice.device.bundle('legacy');
    await expect(hear(alice, impostor, message)).rejects.toMatchObject({ code: 'identity-changed' });
    expect(await alice.device.bundle('legacy')).toEqual(offered);
    await alice.device.setTrust(BOB, impostor.device.fingerprint(), 'trusted-first-use');
    expect(textOf(await hear(alice, impostor, message))).toBe('it is me');
  });

  test('a stranger who cannot prove the key leaves no trace in the trust records', async () => {
    const { alice, bob } = await pair();
    const impostor = await reinstalled(bob);
    await connect(impostor, alice, 'legacy');
    const message = await say(impostor, 'x', [alice], 'legacy');
    const key = message.keys[0] ?? expect.unreachable();
    const data = Uint8Array.from(key.data);
    // Inside the message's ciphertext, away from the keys.
    const at = data.length - 20;
    data[at] = (data[at] as number) ^ 1;
    const before = alice.store.snapshot();
    await expect(
      alice.device.decrypt(bob.address, { data, preKey: true }, message.iv, message.payload, 'legacy'),
    ).rejects.toMatchObject({ code: 'bad-mac' });
    expect(alice.store.snapshot()).toEqual(before);
  });

  test('a new device is announced with its messages until it is acknowledged', async () => {
    const { alice, bob } = await pair();
    const phone = await person(BOB);
    const list = [bob.address.deviceId, phone.address.deviceId];
    expect((await alice.device.updateDeviceList(BOB, list, 'legacy')).announced).toEqual([phone.address.deviceId]);
    await connect(phone, alice, 'legacy');
    const first = await hear(alice, phone, await say(phone, 'new phone', [alice], 'legacy'));
    expect(first).toMatchObject({ isNewDevice: true, trust: 'trusted-first-use' });
    await alice.device.acknowledgeDevices(BOB);
    const second = await hear(alice, phone, await say(phone, 'still me', [alice], 'legacy'));
    expect(second.isNewDevice).toBe(false);
  });

  test('what tells of new devices is stored with the mark that they were told of, or neither is', async () => {
    const { alice, bob } = await pair();
    const phone = await person(BOB);
    await alice.device.updateDeviceList(BOB, [bob.address.deviceId, phone.address.deviceId], 'legacy');
    const told: (readonly number[])[] = [];
    const tell = async (ids: readonly number[]) => {
      told.push(ids);
      return [{ store: 'notes', key: 'n', value: ids }];
    };
    alice.store.beforeCommit = () => {
      throw new Error('full');
    };
    await expect(alice.device.acknowledgeDevices(BOB, tell)).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(alice.store.extras.size).toBe(0);
    alice.store.beforeCommit = null;
    await alice.device.acknowledgeDevices(BOB, tell);
    await alice.device.acknowledgeDevices(BOB, tell);
    expect(told).toEqual([[phone.address.deviceId], [phone.address.deviceId]]);
    expect(alice.store.extras.get('notes/n')).toEqual([phone.address.deviceId]);
  });

  test('a decision beside a device is refused when it shows another key by now', async () => {
    const { alice, bob } = await pair();
    const seen = bob.device.fingerprint();
    const impostor = await reinstalled(bob);
    await connect(impostor, alice, 'legacy');
    await expect(hear(alice, impostor, await say(impostor, 'x', [alice], 'legacy'))).rejects.toMatchObject({
      code: 'identity-changed',
    });
    const before = alice.store.snapshot();
    for (const fingerprint of [seen, '']) {
      const decided = alice.device.setTrust(BOB, fingerprint, 'verified', bob.address.deviceId);
      await expect(decided).rejects.toMatchObject({ code: 'unknown-fingerprint' });
    }
    expect(alice.store.snapshot()).toEqual(before);
    await alice.device.setTrust(BOB, impostor.device.fingerprint(), 'verified', bob.address.deviceId);
    const [device] = await alice.device.devicesOf(BOB);
    expect(device).toMatchObject({ trust: 'verified', changedKey: null });
  });

  test('a key that was refused can be trusted after all', async () => {
    const { alice, bob } = await pair();
    const impostor = await reinstalled(bob);
    await connect(impostor, alice, 'legacy');
    const message = await say(impostor, 'x', [alice], 'legacy');
    await expect(hear(alice, impostor, message)).rejects.toMatchObject({ code: 'identity-changed' });
    await alice.device.setTrust(BOB, impostor.device.fingerprint(), 'distrusted', bob.address.deviceId);
    await expect(hear(alice, impostor, message)).rejects.toMatchObject({ code: 'device-distrusted' });
    const [record] = await alice.device.devicesOf(BOB);
    const shown = judgedKeysOf(record ?? expect.unreachable());
    expect(shown.map((key) => [formatFingerprint(key.identityKey ?? expect.unreachable()), key.trust])).toEqual([
      [bob.device.fingerprint(), 'trusted-first-use'],
      [impostor.device.fingerprint(), 'distrusted'],
    ]);
    await alice.device.setTrust(BOB, impostor.device.fingerprint(), 'trusted-first-use', bob.address.deviceId);
    expect(textOf(await hear(alice, impostor, message))).toBe('x');
  });

  test('a second device of one’s own is announced to the first, not the first to the second', async () => {
    const first = await person(ALICE);
    const second = await person(ALICE);
    const [one, two] = [first.address.deviceId, second.address.deviceId];
    await first.device.updateDeviceList(ALICE, [one], 'legacy');
    expect((await first.device.updateDeviceList(ALICE, [one, two], 'legacy')).announced).toEqual([two]);
    expect((await second.device.updateDeviceList(ALICE, [one], 'legacy')).announced).toEqual([]);
  });

  test('a device after a verified one gets a session to be judged by, and no message before', async () => {
    const { alice, bob } = await pair();
    const phone = await person(BOB);
    await alice.device.setTrust(BOB, bob.device.fingerprint(), 'verified');
    await alice.device.updateDeviceList(BOB, [bob.address.deviceId, phone.address.deviceId], 'legacy');
    const before = await alice.device.plan([BOB], 'legacy');
    expect(before.needSession).toEqual([phone.address]);
    expect(before.undecided.map((each) => each.deviceId)).toEqual([phone.address.deviceId]);
    await connect(alice, phone, 'legacy');
    const asking = await alice.device.plan([BOB], 'legacy');
    expect(asking).toMatchObject({ ready: [bob.address], needSession: [] });
    expect(asking.undecided).toHaveLength(1);
    await expect(say(alice, 'no', [bob, phone], 'legacy')).rejects.toMatchObject({ code: 'untrusted-devices' });
    await alice.device.setTrust(BOB, phone.device.fingerprint(), 'verified', phone.address.deviceId);
    const sent = await say(alice, 'yes', [bob, phone], 'legacy');
    expect(textOf(await hear(phone, alice, sent))).toBe('yes');
  });

  test('the plan sorts the listed devices', async () => {
    const { alice, bob } = await pair();
    const tablet = await person(ALICE);
    const phone = await person(BOB);
    const old = await person(BOB);
    for (const each of [phone, old]) {
      await connect(alice, each, 'legacy');
    }
    await alice.device.setTrust(BOB, old.device.fingerprint(), 'distrusted');
    const ids = [bob, phone, old].map((each) => each.address.deviceId);
    await alice.device.updateDeviceList(BOB, ids, 'legacy');
    const own = await alice.device.updateDeviceList(ALICE, [alice.device.deviceId, tablet.address.deviceId], 'legacy');
    expect(own.isOwnDeviceMissing).toBe(false);
    const plan = await alice.device.plan([BOB, ALICE], 'legacy');
    expect(plan.ready).toEqual([bob.address, phone.address]);
    expect(plan.needSession).toEqual([tablet.address]);
    expect(plan.distrusted.map((each) => each.deviceId)).toEqual([old.address.deviceId]);
    expect(plan.undecided).toEqual([]);
    expect((await alice.device.updateDeviceList(ALICE, [], 'legacy')).isOwnDeviceMissing).toBe(true);
  });
});

/** Another identity that claims the same device id. */
async function reinstalled(lost: Person): Promise<Person> {
  const fresh = await person(BOB);
  const account = (await fresh.store.get('identity')) as { deviceId: number };
  await fresh.store.commit([{ key: 'identity', value: { ...account, deviceId: lost.address.deviceId } }]);
  return person(BOB, {}, fresh.store);
}
