import { type IDBPDatabase, openDB, wrap } from 'idb';
import { copy, type OwnedBytes, toUtf8 } from './bytes';
import { decodeRecord, encodeRecord } from './codec';
import { StoreError } from './errors';
import type { E2eeStore, ExtraWrite, Write } from './store';

/*
 * Records in IndexedDB, each encrypted with AES-256-GCM under a key that WebCrypto does not let anybody export: a copy
 * of the database's files without this browser's key store opens nothing. The record's name is authenticated with it,
 * so that records can't be exchanged for one another.
 */

const RECORDS = 'e2ee-records';
const KEYS = 'e2ee-keys';
const STORE_KEY = 'store';
const IV_BYTES = 12;

/** A value encrypted at rest. */
export interface Sealed {
  readonly iv: OwnedBytes;
  readonly data: OwnedBytes;
}

/** Makes the object stores; call it in the `upgradeneeded` handler of the database that is to hold them. */
export function createE2eeObjectStores(database: IDBDatabase): void {
  for (const name of [RECORDS, KEYS]) {
    if (!database.objectStoreNames.contains(name)) {
      database.createObjectStore(name);
    }
  }
}

/** The store in IndexedDB. */
export class IdbStore implements E2eeStore {
  private constructor(
    private readonly database: IDBPDatabase,
    private readonly key: CryptoKey,
  ) {}

  /** Opens a database of its own. */
  static async open(name: string): Promise<IdbStore> {
    const database = await guarded(() =>
      openDB(name, 1, { upgrade: (db) => createE2eeObjectStores(db as unknown as IDBDatabase) }),
    );
    return new IdbStore(database, await obtainKey(database));
  }

  /**
   * Uses a database that the caller opened and made the object stores in, so that `ExtraWrite`s can name the caller's
   * object stores.
   */
  static async attach(database: IDBDatabase): Promise<IdbStore> {
    const wrapped = wrap(database);
    return new IdbStore(wrapped, await obtainKey(wrapped));
  }

  async get(key: string): Promise<unknown> {
    const sealed: Sealed | undefined = await guarded(() => this.database.get(RECORDS, key));
    return sealed === undefined ? undefined : decodeRecord(await this.unseal(`record/${key}`, sealed));
  }

  async commit(writes: readonly Write[], extra: readonly ExtraWrite[] = []): Promise<void> {
    // A transaction ends by itself while WebCrypto works, so everything is encrypted before it begins.
    const sealed = await Promise.all(writes.map((write) => this.sealWrite(write)));
    const names = new Set([RECORDS, ...extra.map((write) => write.store)]);
    await guarded(async () => {
      const transaction = this.database.transaction([...names], 'readwrite', { durability: 'strict' });
      const requests: Promise<unknown>[] = [];
      try {
        const records = transaction.objectStore(RECORDS);
        for (const { key, value } of sealed) {
          requests.push(value === undefined ? records.delete(key) : records.put(value, key));
        }
        for (const write of extra) {
          const store = transaction.objectStore(write.store);
          requests.push('deleteKey' in write ? store.delete(write.deleteKey) : store.put(write.value, write.key));
        }
      } catch (error) {
        // A value that can't be cloned throws here; what was put before it must not be committed alone.
        transaction.abort();
        requests.push(Promise.reject(error));
      }
      const results = await Promise.allSettled([...requests, transaction.done]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) {
        throw failed.reason;
      }
    });
  }

  /**
   * Encrypts bytes of the caller's under the same key, for its own object stores.
   *
   * @param context Names the value; `unseal` wants the same.
   */
  async seal(context: string, plaintext: Uint8Array): Promise<Sealed> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const params = { name: 'AES-GCM', iv, additionalData: toUtf8(context) };
    return { iv, data: new Uint8Array(await crypto.subtle.encrypt(params, this.key, copy(plaintext))) };
  }

  /**
   * Opens what `seal` made.
   *
   * @throws StoreError `store-corrupt` if it was changed or the context is another.
   */
  async unseal(context: string, sealed: Sealed): Promise<OwnedBytes> {
    const params = { name: 'AES-GCM', iv: sealed.iv, additionalData: toUtf8(context) };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(params, this.key, sealed.data));
    } catch (error) {
      throw new StoreError('store-corrupt', 'record is not authentic', { cause: error });
    }
  }

  /** Closes the database; for `open`, and for tests. */
  close(): void {
    this.database.close();
  }

  private async sealWrite({ key, value }: Write): Promise<{ key: string; value: Sealed | undefined }> {
    return { key, value: value === undefined ? undefined : await this.seal(`record/${key}`, encodeRecord(value)) };
  }
}

async function obtainKey(database: IDBPDatabase): Promise<CryptoKey> {
  return guarded(async () => {
    const existing: CryptoKey | undefined = await database.get(KEYS, STORE_KEY);
    if (existing !== undefined) {
      return existing;
    }
    const fresh = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    // Two tabs may come here at once: the first to write wins, and both use that key.
    const transaction = database.transaction(KEYS, 'readwrite', { durability: 'strict' });
    const winner: CryptoKey | undefined = await transaction.store.get(STORE_KEY);
    if (winner === undefined) {
      await transaction.store.put(fresh, STORE_KEY);
    }
    await transaction.done;
    return winner ?? fresh;
  });
}

async function guarded<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw new StoreError('store-unavailable', 'the browser database failed', { cause: error });
  }
}
