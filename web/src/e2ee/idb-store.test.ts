import { IDBFactory } from 'fake-indexeddb';
import { openDB, unwrap } from 'idb';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import 'fake-indexeddb/auto';
import { toBase64, toHex, toUtf8 } from './bytes';
import { OmemoDevice } from './device';
import { createE2eeObjectStores, IdbStore } from './idb-store';
import { LocalLocks } from './locks';

const NAME = 'test';

interface Raw {
  readonly records: Map<IDBValidKey, { iv: Uint8Array; data: Uint8Array }>;
  readonly key: CryptoKey;
}

/** What somebody sees who opens the database without this code. */
async function raw(): Promise<Raw> {
  const database = await openDB(NAME);
  const keys = await database.getAllKeys('e2ee-records');
  const values = await database.getAll('e2ee-records');
  const key: CryptoKey = await database.get('e2ee-keys', 'store');
  database.close();
  return { records: new Map(keys.map((name, index) => [name, values[index]])), key };
}

async function attached(): Promise<{ store: IdbStore; close: () => void; all: (name: string) => Promise<unknown[]> }> {
  const database = await openDB(NAME, 1, {
    upgrade(db) {
      createE2eeObjectStores(unwrap(db));
      db.createObjectStore('messages');
    },
  });
  const store = await IdbStore.attach(unwrap(database));
  return { store, close: () => database.close(), all: (name) => database.getAll(name) };
}

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
});

describe('records', () => {
  test('survive being closed, and can be removed', async () => {
    const value = { text: 'x', bytes: Uint8Array.of(1, 2), list: [null, true, 5] };
    const first = await IdbStore.open(NAME);
    await first.commit([
      { key: 'a', value },
      { key: 'b', value: 1 },
    ]);
    first.close();
    const second = await IdbStore.open(NAME);
    expect(await second.get('a')).toEqual(value);
    await second.commit([{ key: 'b', value: undefined }]);
    expect(await second.get('b')).toBeUndefined();
    expect(await second.get('c')).toBeUndefined();
    second.close();
  });

  test('are unreadable in the database, and the key cannot be taken out', async () => {
    const store = await IdbStore.open(NAME);
    const secret = Uint8Array.from({ length: 32 }, (_, index) => index + 100);
    await store.commit([{ key: 'a', value: { secret } }]);
    store.close();
    const { records, key } = await raw();
    const stored = records.get('a') ?? expect.unreachable();
    const text = new TextDecoder('latin1').decode(stored.data);
    expect(text).not.toContain('secret');
    expect(text).not.toContain(toBase64(secret));
    expect(toHex(stored.data)).not.toContain(toHex(secret));
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
  });

  test('that were changed or exchanged are refused', async () => {
    const store = await IdbStore.open(NAME);
    await store.commit([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ]);
    const database = await openDB(NAME);
    const other = await database.get('e2ee-records', 'b');
    await database.put('e2ee-records', other, 'a');
    const changed = { iv: other.iv, data: Uint8Array.from(other.data) };
    changed.data[0] = (changed.data[0] as number) ^ 1;
    await database.put('e2ee-records', changed, 'b');
    database.close();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'store-corrupt' });
    await expect(store.get('b')).rejects.toMatchObject({ code: 'store-corrupt' });
    store.close();
  });

  test('two tabs that open a new database at once use one key', async () => {
    const [one, two] = await Promise.all([IdbStore.open(NAME), IdbStore.open(NAME)]);
    await one.commit([{ key: 'a', value: 'from one' }]);
    expect(await two.get('a')).toBe('from one');
    one.close();
    two.close();
  });
});

describe('transactions', () => {
  test("hold the caller's writes too", async () => {
    const { store, close, all } = await attached();
    const sealed = await store.seal('message/1', toUtf8('hello'));
    await store.commit([{ key: 'a', value: 1 }], [{ store: 'messages', key: 'm1', value: sealed }]);
    expect(await all('messages')).toHaveLength(1);
    expect(await store.unseal('message/1', sealed)).toEqual(toUtf8('hello'));
    await expect(store.unseal('message/2', sealed)).rejects.toMatchObject({ code: 'store-corrupt' });
    await store.commit([], [{ store: 'messages', deleteKey: 'm1' }]);
    expect(await all('messages')).toEqual([]);
    close();
  });

  test.each([
    ['a value that cannot be stored', { store: 'messages', key: 'm1', value: () => {} }],
    ['a store that does not exist', { store: 'nowhere', key: 'm1', value: 1 }],
    ['a key that is none', { store: 'messages', key: {} as IDBValidKey, value: 1 }],
  ])('write nothing when one write fails: %s', async (_name, write) => {
    const { store, close, all } = await attached();
    await store.commit([{ key: 'a', value: 'before' }]);
    const extra = [{ store: 'messages', key: 'm0', value: 0 }, write];
    await expect(store.commit([{ key: 'a', value: 'after' }], extra)).rejects.toMatchObject({
      code: 'store-unavailable',
    });
    expect(await store.get('a')).toBe('before');
    expect(await all('messages')).toEqual([]);
    close();
  });

  test('that end by a crash leave the old state', async () => {
    const { store, close } = await attached();
    await store.commit([{ key: 'a', value: 'before' }]);
    const pending = store.commit([{ key: 'a', value: 'after' }]);
    close();
    await expect(pending).rejects.toMatchObject({ code: 'store-unavailable' });
    const again = await IdbStore.open(NAME);
    expect(await again.get('a')).toBe('before');
    again.close();
  });
});

test('a whole conversation on two databases, over a restart', async () => {
  const options = { locks: new LocalLocks() };
  const store = await IdbStore.open('alice');
  const alice = await OmemoDevice.open(store, 'alice@parley.example', options);
  const bob = await OmemoDevice.open(await IdbStore.open('bob'), 'bob@parley.example', options);
  const [aliceAddress, bobAddress] = [alice, bob].map(({ jid, deviceId }) => ({ jid, deviceId })) as [
    { jid: string; deviceId: number },
    { jid: string; deviceId: number },
  ];
  await alice.startSession(bobAddress, await bob.bundle('legacy'), 'legacy');
  const first = await alice.encrypt(toUtf8('one'), [bobAddress], 'legacy');
  store.close();
  const restarted = await OmemoDevice.open(await IdbStore.open('alice'), 'alice@parley.example', options);
  expect(restarted.deviceId).toBe(alice.deviceId);
  const second = await restarted.encrypt(toUtf8('two'), [bobAddress], 'legacy');
  for (const [message, text] of [
    [second, 'two'],
    [first, 'one'],
  ] as const) {
    const key = message.keys[0] ?? expect.unreachable();
    const heard = await bob.decrypt(aliceAddress, key, message.iv, message.payload, 'legacy');
    expect(heard.plaintext).toEqual(toUtf8(text));
  }
});
