import { type DBSchema, deleteDB, type IDBPDatabase, openDB, unwrap } from 'idb';
import { StoreError } from '../e2ee';
import { decodeRecord, encodeRecord } from '../e2ee/codec';
import { createE2eeObjectStores, IdbStore, type Sealed } from '../e2ee/idb-store';
import type { E2eeStore, ExtraWrite, Write } from '../e2ee/store';
import type { ConversationRecord, MessageRecord, OutboxRecord, RosterRecord } from './records';
import type { TaskGroup } from './tasks';

/*
 * One database holds what the client keeps and the keys of the encryption, so that a decrypted message and the state
 * of the ratchet that opened it are written in one transaction. Values are sealed with AES-256-GCM under a key that
 * cannot be exported. In clear are only what indexes need: ids, addresses of conversations, order, whether unread.
 */

const VERSION = 1;

export const DATABASE_NAME = 'parley';

/** Orders from here on belong to own messages that the server has not accepted yet. */
export const WAITING_ORDER = 2 ** 50;

interface MessageRow {
  readonly id: string;
  readonly conversation: string;
  readonly order: number;
  readonly stanzaId?: string;
  readonly wireId?: string;
  readonly originId?: string;
  /** 1 while unread; absent otherwise, which keeps the index small. */
  readonly unread?: 1;
  readonly sealed: Sealed;
}

interface Row {
  readonly key: string | number;
  readonly sealed: Sealed;
}

interface Schema extends DBSchema {
  meta: { key: string; value: Row };
  roster: { key: string; value: Row };
  conversations: { key: string; value: Row };
  outbox: { key: number; value: Row };
  blobs: { key: string; value: Row };
  messages: {
    key: string;
    value: MessageRow;
    indexes: {
      order: number;
      position: [string, number];
      stanzaId: string;
      wireId: string;
      originId: string;
      unread: [string, 1];
    };
  };
}

type PlainStore = 'meta' | 'roster' | 'conversations' | 'outbox' | 'blobs';

/** One write of a transaction, sealed already. */
export type DbWrite = ExtraWrite;

/** Runs one operation on the database. */
type Gate = <T>(operation: () => Promise<T>) => Promise<T>;

/** What the encryption keeps, and what encrypts everything else at rest. */
export type RecordStore = E2eeStore & Pick<IdbStore, 'seal' | 'unseal'>;

/**
 * The client's database. Methods reject with `StoreError`: `store-unavailable` when the browser cannot read or refuses
 * to store, `store-corrupt` when what it has is not what was written.
 */
export class ClientDb {
  private constructor(
    private readonly database: IDBPDatabase<Schema>,
    /** The store of the encryption, in the same database. */
    readonly e2ee: RecordStore,
    private readonly gate: Gate,
  ) {}

  static async open(name = DATABASE_NAME): Promise<ClientDb> {
    const database = await guarded(() =>
      openDB<Schema>(name, VERSION, {
        upgrade: (db) => {
          createE2eeObjectStores(unwrap(db) as unknown as IDBDatabase);
          createObjectStores(db);
        },
        // Another tab deletes or upgrades the database: do not stand in its way.
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      }),
    );
    const e2ee = await IdbStore.attach(unwrap(database) as unknown as IDBDatabase);
    return new ClientDb(database, e2ee, (operation) => operation());
  }

  /**
   * The same database for as long as a group of tasks is not stopped: whoever stops the group waits for the operations
   * under way, and later ones reject with `StoppedError` without touching anything.
   */
  during(tasks: TaskGroup): ClientDb {
    const gate: Gate = (operation) => tasks.run(operation);
    return new ClientDb(this.database, gatedStore(this.e2ee, gate), gate);
  }

  close(): void {
    this.database.close();
  }

  /** Closes and deletes everything, keys included. */
  async destroy(): Promise<void> {
    const name = this.database.name;
    this.close();
    await guarded(() => deleteDB(name));
  }

  async getMeta<T>(key: string): Promise<T | undefined> {
    return this.getPlain<T>('meta', key);
  }

  async putMeta(key: string, value: unknown): Promise<void> {
    await this.write([await this.sealMeta(key, value)]);
  }

  sealMeta(key: string, value: unknown): Promise<DbWrite> {
    return this.sealPlain('meta', key, value);
  }

  async roster(): Promise<RosterRecord[]> {
    return this.allPlain<RosterRecord>('roster');
  }

  sealRoster(record: RosterRecord): Promise<DbWrite> {
    return this.sealPlain('roster', record.jid, record);
  }

  async conversations(): Promise<ConversationRecord[]> {
    return this.allPlain<ConversationRecord>('conversations');
  }

  sealConversation(record: ConversationRecord): Promise<DbWrite> {
    return this.sealPlain('conversations', record.jid, record);
  }

  /** Everything that waits to be sent, oldest first. */
  async outbox(): Promise<OutboxRecord[]> {
    return this.allPlain<OutboxRecord>('outbox');
  }

  sealOutbox(record: OutboxRecord): Promise<DbWrite> {
    return this.sealPlain('outbox', record.seq, record);
  }

  async getBlob(id: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const row = await this.read((database) => database.get('blobs', id));
    return row && this.e2ee.unseal(`blobs/${id}`, row.sealed);
  }

  async sealBlob(id: string, bytes: Uint8Array): Promise<DbWrite> {
    const row: Row = { key: id, sealed: await this.e2ee.seal(`blobs/${id}`, bytes) };
    return { store: 'blobs', value: row };
  }

  async sealMessage(record: MessageRecord): Promise<DbWrite> {
    const row: MessageRow = {
      id: record.id,
      conversation: record.conversation,
      order: record.order,
      ...(record.stanzaId !== undefined && { stanzaId: record.stanzaId }),
      ...(record.wireId !== undefined && { wireId: record.wireId }),
      ...(record.originId !== undefined && { originId: record.originId }),
      ...(record.isUnread && { unread: 1 as const }),
      sealed: await this.e2ee.seal(`messages/${record.id}`, encodeRecord(record)),
    };
    return { store: 'messages', value: row };
  }

  /** All writes or none; resolves when they would survive a crash. */
  async write(writes: readonly DbWrite[]): Promise<void> {
    if (writes.length > 0) {
      await this.e2ee.commit([], writes);
    }
  }

  /**
   * Begins writes before it returns: while a page goes, nothing is carried out that comes after a wait. Nobody learns
   * whether they succeed, so they are to be such as are made again otherwise.
   */
  writeNow(writes: readonly DbWrite[]): void {
    if (writes.length === 0) {
      return;
    }
    try {
      const database = unwrap(this.database) as unknown as IDBDatabase;
      const transaction = database.transaction([...new Set(writes.map(({ store }) => store))], 'readwrite');
      for (const write of writes) {
        const store = transaction.objectStore(write.store);
        'deleteKey' in write ? store.delete(write.deleteKey) : store.put(write.value, write.key);
      }
      transaction.commit();
    } catch {
      // The database is closed, or deleted by another tab.
    }
  }

  async getMessage(id: string): Promise<MessageRecord | undefined> {
    const row = await this.read((database) => database.get('messages', id));
    return row && this.openMessage(row);
  }

  async findByStanzaId(stanzaId: string): Promise<MessageRecord | undefined> {
    const row = await this.read((database) => database.getFromIndex('messages', 'stanzaId', stanzaId));
    return row && this.openMessage(row);
  }

  /** Messages whose stanza or origin id is this one; different senders may use the same. */
  async findByWireId(id: string): Promise<MessageRecord[]> {
    const rows = await this.read(async (database) => [
      ...(await database.getAllFromIndex('messages', 'wireId', id)),
      ...(await database.getAllFromIndex('messages', 'originId', id)),
    ]);
    const unique = new Map(rows.map((row) => [row.id, row]));
    return Promise.all([...unique.values()].map((row) => this.openMessage(row)));
  }

  /**
   * The newest messages of a conversation that stand before an order, oldest first.
   *
   * @param before Exclusive; infinity for the end.
   */
  async messagesBefore(conversation: string, before: number, limit: number): Promise<MessageRecord[]> {
    const range = IDBKeyRange.bound([conversation, -Infinity], [conversation, before], false, true);
    const rows = await this.read(async (database) => {
      const found: MessageRow[] = [];
      let cursor = await database.transaction('messages').store.index('position').openCursor(range, 'prev');
      while (cursor && found.length < limit) {
        found.push(cursor.value);
        cursor = await cursor.continue();
      }
      return found;
    });
    return Promise.all(rows.reverse().map((row) => this.openMessage(row)));
  }

  /** Messages of a conversation that stand after an order, oldest first. */
  async messagesAfter(conversation: string, after: number, limit: number): Promise<MessageRecord[]> {
    const range = IDBKeyRange.bound([conversation, after], [conversation, Infinity], true, false);
    const rows = await this.read((database) => database.getAllFromIndex('messages', 'position', range, limit));
    return Promise.all(rows.map((row) => this.openMessage(row)));
  }

  countUnread(conversation: string): Promise<number> {
    return this.read((database) => database.countFromIndex('messages', 'unread', [conversation, 1]));
  }

  /** Unread messages up to and including an order, oldest first. */
  async unreadUpTo(conversation: string, order: number): Promise<MessageRecord[]> {
    const rows = await this.read((database) => database.getAllFromIndex('messages', 'unread', [conversation, 1]));
    const due = rows.filter((row) => row.order <= order).sort((a, b) => a.order - b.order);
    return Promise.all(due.map((row) => this.openMessage(row)));
  }

  /** Lowest and highest order in use, those of waiting messages aside. */
  async orderBounds(): Promise<{ lowest: number; highest: number }> {
    return this.read(async (database) => {
      const index = database.transaction('messages').store.index('order');
      const range = IDBKeyRange.upperBound(WAITING_ORDER, true);
      const lowest = await index.openKeyCursor(range, 'next');
      const highest = await index.openKeyCursor(range, 'prev');
      return { lowest: (lowest?.key as number | undefined) ?? 0, highest: (highest?.key as number | undefined) ?? 0 };
    });
  }

  private read<T>(operation: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    return this.gate(() => guarded(() => operation(this.database)));
  }

  private async openMessage(row: MessageRow): Promise<MessageRecord> {
    const { isUnread: _, ...record } = decodeRecord(
      await this.e2ee.unseal(`messages/${row.id}`, row.sealed),
    ) as MessageRecord;
    return row.unread ? { ...record, isUnread: true } : record;
  }

  private async getPlain<T>(store: PlainStore, key: string): Promise<T | undefined> {
    const row = await this.read((database) => database.get(store as 'meta', key));
    return row && (decodeRecord(await this.e2ee.unseal(`${store}/${key}`, row.sealed)) as T);
  }

  private async allPlain<T>(store: PlainStore): Promise<T[]> {
    const rows = await this.read((database) => database.getAll(store));
    return Promise.all(
      rows.map(async (row) => decodeRecord(await this.e2ee.unseal(`${store}/${row.key}`, row.sealed)) as T),
    );
  }

  private async sealPlain(store: PlainStore, key: string | number, value: unknown): Promise<DbWrite> {
    const row: Row = { key, sealed: await this.e2ee.seal(`${store}/${key}`, encodeRecord(value)) };
    return { store, value: row };
  }
}

/** Whatever the browser says against an operation, callers know one kind of error. */
async function guarded<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw new StoreError('store-unavailable', 'the browser database failed', { cause: error });
  }
}

function gatedStore(store: RecordStore, gate: Gate): RecordStore {
  return {
    get: (key) => gate(() => store.get(key)),
    commit: (writes: readonly Write[], extra?: readonly ExtraWrite[]) => gate(() => store.commit(writes, extra)),
    seal: (context, plaintext) => store.seal(context, plaintext),
    unseal: (context, sealed) => store.unseal(context, sealed),
  };
}

/** Removes a record. */
export function removal(store: PlainStore | 'messages', key: string | number): DbWrite {
  return { store, deleteKey: key };
}

function createObjectStores(db: IDBPDatabase<Schema>): void {
  for (const name of ['meta', 'roster', 'conversations', 'outbox', 'blobs'] as const) {
    db.createObjectStore(name, { keyPath: 'key' });
  }
  const messages = db.createObjectStore('messages', { keyPath: 'id' });
  messages.createIndex('order', 'order');
  messages.createIndex('position', ['conversation', 'order']);
  messages.createIndex('stanzaId', 'stanzaId');
  messages.createIndex('wireId', 'wireId');
  messages.createIndex('originId', 'originId');
  messages.createIndex('unread', ['conversation', 'unread']);
}
