import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toUtf8 } from './bytes';
import { OmemoDevice } from './device';
import { E2eeError, type SessionError } from './errors';
import { PREKEY_COUNT, SIGNED_PREKEY_GRACE_MS, SIGNED_PREKEY_ROTATION_MS } from './keys';
import { LocalLocks } from './locks';
import { MemoryStore } from './memory-store';
import { HEARTBEAT_INDEX } from './session';
import { connect, hear, type Person, person, say, textOf } from './test-people';
import type { Bundle, Encrypted, Format } from './types';

const ALICE = 'alice@parley.example';
const BOB = 'bob@parley.example';

describe('a new identity', () => {
  test('takes the device id that it is given, unless another device has it', async () => {
    expect((await person(ALICE, { deviceId: 42 })).device.deviceId).toBe(42);
    expect((await person(ALICE, { deviceId: 42, takenDeviceIds: [42] })).device.deviceId).not.toBe(42);
    await expect(person(ALICE, { deviceId: 2 ** 31 })).rejects.toMatchObject({ code: 'bad-argument' });
  });

  test('keeps its id whatever is wanted later', async () => {
    const { store } = await person(ALICE, { deviceId: 42 });
    expect((await person(ALICE, { deviceId: 43 }, store)).device.deviceId).toBe(42);
  });
});

describe.each<Format>(['legacy', 'omemo2'])('%s', (format) => {
  async function pair(): Promise<{ alice: Person; bob: Person }> {
    const alice = await person(ALICE);
    const bob = await person(BOB);
    await connect(alice, bob, format);
    return { alice, bob };
  }

  test('a conversation: key exchanges go on until the first answer', async () => {
    const { alice, bob } = await pair();
    const first = await say(alice, 'one', [bob], format);
    const second = await say(alice, 'two', [bob], format);
    expect([first.keys[0]?.preKey, second.keys[0]?.preKey]).toEqual([true, true]);
    expect(textOf(await hear(bob, alice, first))).toBe('one');
    expect(textOf(await hear(bob, alice, second))).toBe('two');
    const answer = await say(bob, 'three', [alice], format);
    expect(answer.keys[0]?.preKey).toBe(false);
    expect(textOf(await hear(alice, bob, answer))).toBe('three');
    expect((await say(alice, 'four', [bob], format)).keys[0]?.preKey).toBe(false);
  });

  test('an answer is asked for by a new session, once', async () => {
    const { alice, bob } = await pair();
    expect((await hear(bob, alice, await say(alice, 'one', [bob], format))).needsReply).toBe(true);
    const empty = await say(bob, null, [alice], format);
    expect(empty.payload).toBeNull();
    expect(await hear(alice, bob, empty)).toMatchObject({ plaintext: null, needsReply: false });
    expect((await hear(bob, alice, await say(alice, 'two', [bob], format))).needsReply).toBe(false);
  });

  test('an answer is asked for by a long monologue, once', async () => {
    const { alice, bob } = await pair();
    await hear(bob, alice, await say(alice, 'hello', [bob], format));
    await hear(alice, bob, await say(bob, 'hello', [alice], format));
    const asked: number[] = [];
    for (let index = 0; index < HEARTBEAT_INDEX + 5; index += 1) {
      if ((await hear(bob, alice, await say(alice, 'and', [bob], format))).needsReply) {
        asked.push(index);
      }
    }
    expect(asked).toEqual([HEARTBEAT_INDEX]);
  });

  test('both begin at once, and both go on', async () => {
    const { alice, bob } = await pair();
    await connect(bob, alice, format);
    const fromAlice = await say(alice, 'a', [bob], format);
    const fromBob = await say(bob, 'b', [alice], format);
    expect(textOf(await hear(bob, alice, fromAlice))).toBe('a');
    expect(textOf(await hear(alice, bob, fromBob))).toBe('b');
    for (let turn = 0; turn < 3; turn += 1) {
      const crossing = [await say(alice, `a${turn}`, [bob], format), await say(bob, `b${turn}`, [alice], format)];
      expect(textOf(await hear(bob, alice, crossing[0] as Encrypted))).toBe(`a${turn}`);
      expect(textOf(await hear(alice, bob, crossing[1] as Encrypted))).toBe(`b${turn}`);
    }
  });

  test('several devices on both sides read the same message', async () => {
    const alice = await person(ALICE);
    const others = [await person(ALICE), await person(BOB), await person(BOB)];
    for (const other of others) {
      await connect(alice, other, format);
    }
    const message = await say(alice, 'all of you', others, format);
    expect(message.keys).toHaveLength(3);
    for (const other of others) {
      expect(textOf(await hear(other, alice, message))).toBe('all of you');
    }
  });

  test('a message that was decrypted before has its own error, and changes nothing', async () => {
    const { alice, bob } = await pair();
    const message = await say(alice, 'once', [bob], format);
    await hear(bob, alice, message);
    const before = bob.store.snapshot();
    await expect(hear(bob, alice, message)).rejects.toMatchObject({ code: 'duplicate-message', shouldRebuild: false });
    expect(bob.store.snapshot()).toEqual(before);
  });

  test('a lost session asks for a new one, which works', async () => {
    const { alice, bob } = await pair();
    await hear(bob, alice, await say(alice, 'one', [bob], format));
    await hear(alice, bob, await say(bob, 'two', [alice], format));
    const restored = await restoredWithoutSessions(bob, format, alice);
    const lost = await say(alice, 'lost', [bob], format);
    const failure = await hear(restored, alice, lost).catch((error: SessionError) => error);
    expect(failure).toMatchObject({ code: 'no-session', shouldRebuild: true, addresses: [alice.address] });
    await connect(restored, alice, format);
    const before = restored.store.snapshot();
    await expect(hear(restored, alice, await say(alice, 'lost too', [bob], format))).rejects.toMatchObject({
      code: 'bad-mac',
      shouldRebuild: true,
    });
    expect(restored.store.snapshot()).toEqual(before);
    expect(await hear(alice, restored, await say(restored, null, [alice], format))).toMatchObject({ plaintext: null });
    expect(textOf(await hear(restored, alice, await say(alice, 'healed', [restored], format)))).toBe('healed');
  });

  test('mutilated messages give documented errors and leave no trace', async () => {
    const { alice, bob } = await pair();
    const exchange = await say(alice, 'one', [bob], format);
    await hear(bob, alice, exchange);
    await hear(alice, bob, await say(bob, 'two', [alice], format));
    const plain = await say(alice, 'three', [bob], format);
    const before = bob.store.snapshot();
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (isExchange, at, bits) => {
        const key = (isExchange ? exchange : plain).keys[0];
        const data = Uint8Array.from(key?.data ?? []);
        data[at % data.length] = (data[at % data.length] as number) ^ bits;
        try {
          await bob.device.decrypt(alice.address, { data, preKey: isExchange }, plain.iv, plain.payload, format);
          expect.unreachable();
        } catch (error) {
          codes.add(error instanceof E2eeError ? error.code : String(error));
        }
        expect(bob.store.snapshot()).toEqual(before);
      }),
      { numRuns: 150 },
    );
    const documented = ['bad-mac', 'malformed-message', 'unsupported-version', 'weak-key', 'duplicate-message'];
    documented.push(
      'unknown-prekey',
      'unknown-signed-prekey',
      'too-many-skipped',
      'payload-corrupt',
      'identity-changed',
    );
    expect([...codes].filter((code) => !documented.includes(code))).toEqual([]);
    expect(codes).toContain('bad-mac');
    expect(textOf(await hear(bob, alice, plain))).toBe('three');
  });

  test('a payload that was exchanged is refused, and the right one still opens', async () => {
    const { alice, bob } = await pair();
    const message = await say(alice, 'right', [bob], format);
    const before = bob.store.snapshot();
    await expect(hear(bob, alice, { ...message, payload: toUtf8('0123456789abcdef') })).rejects.toMatchObject({
      code: 'payload-corrupt',
    });
    expect(bob.store.snapshot()).toEqual(before);
    expect(textOf(await hear(bob, alice, message))).toBe('right');
  });

  test('a used prekey leaves the bundle, a new one comes, and the bundle is to be published', async () => {
    const { alice, bob } = await pair();
    const before = await bob.device.bundle(format);
    await bob.device.markPublished(format, before);
    expect(await bob.device.isBundleStale(format)).toBe(false);
    expect(await hear(bob, alice, await say(alice, 'one', [bob], format))).toMatchObject({ usedPreKey: true });
    expect(bob.changed).toEqual([format]);
    expect(await bob.device.isBundleStale(format)).toBe(true);
    const after = await bob.device.bundle(format);
    expect(after.preKeys).toHaveLength(PREKEY_COUNT);
    const ids = new Set(before.preKeys.map((preKey) => preKey.id));
    expect(after.preKeys.filter((preKey) => !ids.has(preKey.id))).toHaveLength(1);
    expect(await hear(bob, alice, await say(alice, 'two', [bob], format))).toMatchObject({ usedPreKey: false });
  });

  test('a prekey opens one session only, except while the archive is fetched', async () => {
    const bob = await person(BOB);
    const [preKey] = (await bob.device.bundle(format)).preKeys;
    const bundle: Bundle = { ...(await bob.device.bundle(format)), preKeys: preKey === undefined ? [] : [preKey] };
    const senders = [await person(ALICE), await person('carol@parley.example'), await person('dan@parley.example')];
    const messages: Encrypted[] = [];
    for (const sender of senders) {
      await sender.device.startSession(bob.address, bundle, format);
      messages.push(await say(sender, 'hello', [bob], format));
    }
    bob.device.beginCatchUp();
    await hear(bob, senders[0] as Person, messages[0] as Encrypted);
    await hear(bob, senders[1] as Person, messages[1] as Encrypted);
    const offered = (await bob.device.bundle(format)).preKeys;
    expect(offered).toHaveLength(PREKEY_COUNT);
    expect(offered.map(({ id }) => id)).not.toContain(preKey?.id);
    await bob.device.endCatchUp();
    await expect(hear(bob, senders[2] as Person, messages[2] as Encrypted)).rejects.toMatchObject({
      code: 'unknown-prekey',
      shouldRebuild: true,
    });
  });

  test('the signed prekey rotates, and the old one works until its grace is over', async () => {
    const { alice, bob } = await pair();
    const carol = await person('carol@parley.example');
    await connect(carol, bob, format);
    const old = await bob.device.bundle(format);
    const inTime = await say(alice, 'in time', [bob], format);
    const tooLate = await say(carol, 'too late', [bob], format);
    bob.clock.nowMs += SIGNED_PREKEY_ROTATION_MS;
    await bob.device.maintain();
    expect(bob.changed).toEqual([format]);
    expect((await bob.device.bundle(format)).signedPreKeyId).toBe(old.signedPreKeyId + 1);
    bob.clock.nowMs += SIGNED_PREKEY_GRACE_MS;
    expect(textOf(await hear(bob, alice, inTime))).toBe('in time');
    bob.clock.nowMs += 1;
    await expect(hear(bob, carol, tooLate)).rejects.toMatchObject({ code: 'unknown-signed-prekey' });
  });

  test('bundles that are not what they should be', async () => {
    const alice = await person(ALICE);
    const bob = await person(BOB);
    const bundle = await bob.device.bundle(format);
    const other = await (await person(BOB)).device.bundle(format);
    const zero = format === 'legacy' ? Uint8Array.of(5, ...new Uint8Array(32)) : new Uint8Array(32);
    const cases: [Partial<Bundle>, string][] = [
      [{ signedPreKey: other.signedPreKey }, 'bad-signature'],
      [{ identityKey: other.identityKey }, 'bad-signature'],
      [{ signedPreKeySignature: new Uint8Array(3) }, 'bad-signature'],
      [{ deviceId: bob.address.deviceId ^ 1 }, 'malformed-bundle'],
      [{ preKeys: [] }, 'malformed-bundle'],
      [{ preKeys: [{ id: -1, key: bundle.signedPreKey }] }, 'malformed-bundle'],
      [{ preKeys: [{ id: 1, key: new Uint8Array(5) }] }, 'malformed-bundle'],
      [{ signedPreKey: new Uint8Array(5) }, 'malformed-bundle'],
      [{ preKeys: [{ id: 1, key: zero }] }, 'weak-key'],
    ];
    const before = alice.store.snapshot();
    for (const [change, code] of cases) {
      await expect(
        alice.device.startSession(bob.address, { ...bundle, ...change }, format),
        JSON.stringify(Object.keys(change)),
      ).rejects.toMatchObject({ code });
    }
    expect(alice.store.snapshot()).toEqual(before);
  });

  test('state is durable before ciphertext is handed out, and a crash at any commit loses nothing', async () => {
    const { alice, bob } = await pair();
    let isBroken = true;
    alice.store.beforeCommit = () => {
      if (isBroken) {
        throw new Error('disk full');
      }
    };
    const before = alice.store.snapshot();
    await expect(say(alice, 'one', [bob], format)).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(alice.store.snapshot()).toEqual(before);
    isBroken = false;
    const message = await say(alice, 'one', [bob], format);
    bob.store.beforeCommit = () => {
      throw new Error('disk full');
    };
    const bobBefore = bob.store.snapshot();
    await expect(hear(bob, alice, message)).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(bob.store.snapshot()).toEqual(bobBefore);
    bob.store.beforeCommit = null;
    // What a restart would see is what was committed: the message still decrypts, once.
    const restarted = await person(BOB, {}, bob.store);
    expect(textOf(await hear(restarted, alice, message))).toBe('one');
    await expect(hear(bob, alice, message)).rejects.toMatchObject({ code: 'duplicate-message' });
  });

  test("the caller's writes are committed with the state or not at all", async () => {
    const { alice, bob } = await pair();
    const message = await alice.device.encrypt(toUtf8('kept'), [bob.address], format, (encrypted) => [
      { store: 'outbox', key: 'o1', value: encrypted.keys.length },
    ]);
    expect(alice.store.extras.get('outbox/o1')).toBe(1);
    const key = message.keys[0] ?? expect.unreachable();
    const before = bob.store.snapshot();
    const attempt = (hook: () => never) =>
      bob.device.decrypt(alice.address, key, message.iv, message.payload, format, hook);
    await expect(
      attempt(() => {
        throw new Error('no room');
      }),
    ).rejects.toThrow('no room');
    expect(bob.store.snapshot()).toEqual(before);
    await bob.device.decrypt(alice.address, key, message.iv, message.payload, format, async (decrypted) => [
      { store: 'messages', key: 'm1', value: textOf(decrypted) },
    ]);
    expect(bob.store.extras.get('messages/m1')).toBe('kept');
  });

  test('parallel work on one store never uses a key twice', async () => {
    const { alice, bob } = await pair();
    const locks = new LocalLocks();
    const tabs = [await person(ALICE, { locks }, alice.store), await person(ALICE, { locks }, alice.store)];
    const messages = await Promise.all(
      Array.from({ length: 10 }, (_, index) => say(tabs[index % 2] as Person, `m${index}`, [bob], format)),
    );
    const heard = await Promise.all(messages.map(async (message) => textOf(await hear(bob, alice, message))));
    expect(heard).toEqual(messages.map((_, index) => `m${index}`));
  });

  test('any loss, reordering and duplication between two devices', async () => {
    const action = fc.record({
      do: fc.constantFrom<'alice' | 'bob' | 'deliver' | 'lose' | 'repeat'>('alice', 'bob', 'deliver', 'lose', 'repeat'),
      which: fc.nat(100),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const { alice, bob } = await pair();
        await connect(bob, alice, format);
        const flying: { to: Person; from: Person; text: string; message: Encrypted }[] = [];
        const delivered: typeof flying = [];
        for (const [index, { do: what, which }] of [...actions.entries()]) {
          if (what === 'alice' || what === 'bob') {
            const [from, to] = what === 'alice' ? [alice, bob] : [bob, alice];
            flying.push({ from, to, text: `m${index}`, message: await say(from, `m${index}`, [to], format) });
          } else if (what === 'repeat') {
            const again = delivered[which % Math.max(delivered.length, 1)];
            if (again !== undefined) {
              const before = again.to.store.snapshot();
              await expect(hear(again.to, again.from, again.message)).rejects.toMatchObject({
                code: 'duplicate-message',
              });
              expect(again.to.store.snapshot()).toEqual(before);
            }
          } else {
            const [taken] = flying.splice(which % Math.max(flying.length, 1), 1);
            if (what === 'deliver' && taken !== undefined) {
              expect(textOf(await hear(taken.to, taken.from, taken.message))).toBe(taken.text);
              delivered.push(taken);
            }
          }
        }
      }),
      { numRuns: 12 },
    );
  }, 30_000);
});

test('a device keeps its identity, and its store is for one account', async () => {
  const first = await person(ALICE);
  const again = await person(ALICE, {}, first.store);
  expect(again.address).toEqual(first.address);
  expect(again.device.fingerprint()).toBe(first.device.fingerprint());
  expect(first.device.fingerprint()).toMatch(/^([0-9a-f]{8} ){7}[0-9a-f]{8}$/);
  expect(first.address.deviceId).toBeGreaterThan(0);
  expect(first.address.deviceId).toBeLessThan(2 ** 31);
  await expect(OmemoDevice.open(first.store, BOB, { locks: new LocalLocks() })).rejects.toMatchObject({
    code: 'bad-argument',
  });
});

test('two tabs that open an empty store at once become one device', async () => {
  const store = new MemoryStore();
  const locks = new LocalLocks();
  const [one, two] = await Promise.all([person(ALICE, { locks }, store), person(ALICE, { locks }, store)]);
  expect(one.address).toEqual(two.address);
  const [a, b] = await Promise.all([one.device.bundle('legacy'), two.device.bundle('legacy')]);
  expect(a).toEqual(b);
});

test('the formats share the identity and nothing else', async () => {
  const alice = await person(ALICE);
  const bob = await person(BOB);
  await connect(alice, bob, 'legacy');
  expect(await alice.device.hasSession(bob.address, 'legacy')).toBe(true);
  expect(await alice.device.hasSession(bob.address, 'omemo2')).toBe(false);
  await connect(alice, bob, 'omemo2');
  const [device] = await alice.device.devicesOf(BOB);
  expect(device).toMatchObject({ trust: 'trusted-first-use', changedKey: null });
  expect((await bob.device.bundle('legacy')).signedPreKey.slice(1)).not.toEqual(
    (await bob.device.bundle('omemo2')).signedPreKey,
  );
});

test.each([
  [{ jid: 'bob@parley.example/phone', deviceId: 1 }],
  [{ jid: '', deviceId: 1 }],
  [{ jid: BOB, deviceId: 0 }],
  [{ jid: BOB, deviceId: 2 ** 32 }],
  [{ jid: BOB, deviceId: 1.5 }],
])('refuses the address %j', async (address) => {
  const alice = await person(ALICE);
  await expect(alice.device.encrypt(null, [address], 'legacy')).rejects.toMatchObject({ code: 'bad-address' });
});

test('refuses to talk to itself, and to nobody', async () => {
  const alice = await person(ALICE);
  await expect(alice.device.encrypt(null, [alice.address], 'legacy')).rejects.toMatchObject({ code: 'bad-address' });
  await expect(alice.device.encrypt(toUtf8('x'), [], 'legacy')).rejects.toMatchObject({ code: 'bad-argument' });
});

/** The same identity and prekeys, without the sessions with somebody. */
async function restoredWithoutSessions(lost: Person, format: Format, peer: Person): Promise<Person> {
  const key = `session/${format}/${peer.address.jid}/${peer.address.deviceId}`;
  await lost.store.commit([{ key, value: undefined }]);
  return person(lost.address.jid, {}, lost.store);
}
