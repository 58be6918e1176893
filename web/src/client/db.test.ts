import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../e2ee';
import { ClientDb } from './db';
import { StoppedError } from './errors';
import { TaskGroup } from './tasks';
import { messageRecord } from './testing/records';

let db: ClientDb;

const operations: readonly (readonly [string, (db: ClientDb) => Promise<unknown>])[] = [
  ['getMeta', (on) => on.getMeta('key')],
  ['putMeta', (on) => on.putMeta('key', 1)],
  ['roster', (on) => on.roster()],
  ['conversations', (on) => on.conversations()],
  ['outbox', (on) => on.outbox()],
  ['getBlob', (on) => on.getBlob('a')],
  ['getMessage', (on) => on.getMessage('a')],
  ['findByStanzaId', (on) => on.findByStanzaId('a')],
  ['findByWireId', (on) => on.findByWireId('a')],
  ['messagesBefore', (on) => on.messagesBefore('bob@home', 9, 9)],
  ['messagesAfter', (on) => on.messagesAfter('bob@home', 0, 9)],
  ['countUnread', (on) => on.countUnread('bob@home')],
  ['unreadUpTo', (on) => on.unreadUpTo('bob@home', 9)],
  ['orderBounds', (on) => on.orderBounds()],
  ['a record of the encryption', (on) => on.e2ee.get('identity')],
];

beforeEach(async () => {
  db = await ClientDb.open(`db-${crypto.randomUUID()}`);
});

describe('what the browser refuses', () => {
  it.each(operations)('comes out of %s as the error of the store', async (_name, operation) => {
    db.close();
    await expect(operation(db)).rejects.toSatisfy(
      (error) => error instanceof StoreError && error.code === 'store-unavailable',
    );
  });
});

describe('a database for the time of a group of tasks', () => {
  it.each(operations)('does not let %s touch it afterwards', async (_name, operation) => {
    const tasks = new TaskGroup();
    const during = db.during(tasks);
    await operation(during);
    await tasks.stop();
    await expect(operation(during)).rejects.toBeInstanceOf(StoppedError);
    await operation(db);
  });

  it('is left with everything written that was begun', async () => {
    const tasks = new TaskGroup();
    const during = db.during(tasks);
    const begun = during.write([await during.sealMessage(messageRecord({ id: 'a' }))]);
    await tasks.stop();
    expect(await db.getMessage('a')).toMatchObject({ id: 'a' });
    await begun;
  });
});
