import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from './clock';
import { ClientDb } from './db';
import { Store } from './store';
import { messageRecord } from './testing/records';

const BOB = 'bob@home';

let name: string;
let clock: ManualClock;
let store: Store;

beforeEach(async () => {
  name = `store-${crypto.randomUUID()}`;
  clock = new ManualClock();
  store = await Store.load(await ClientDb.open(name), clock);
});

/** What the next page finds. */
async function storedDraft(): Promise<string | undefined> {
  const db = await ClientDb.open(name);
  const [record] = await db.conversations();
  db.close();
  return record?.draft;
}

function own(text: string) {
  return messageRecord({ id: text, isOwn: true, state: 'waiting', content: { kind: 'text', text } });
}

describe('a draft', () => {
  it('is kept when the page goes before it is written at leisure', async () => {
    await Promise.all([store.setDraft(BOB, 'half a'), store.setDraft(BOB, 'half a sen')]);
    store.writeDraftsNow();
    // The page goes: nothing is done after this.
    store.db.close();
    expect(await storedDraft()).toBe('half a sen');
  });

  it('leaves alone what was changed otherwise since it was sealed', async () => {
    await store.setDraft(BOB, 'half a sen');
    await store.setTheirClass(BOB, 'managed');
    store.writeDraftsNow();
    const again = await Store.load(await ClientDb.open(name), clock);
    expect(again.conversation(BOB)).toMatchObject({ draft: 'half a sen', theirClass: 'managed' });
  });

  it('is gone with the transaction that stores the message it became', async () => {
    await store.setDraft(BOB, 'hello ');
    await store.flushDrafts();
    expect(await storedDraft()).toBe('hello ');
    await store.add(own('hello'), store.waitingOrder());
    store.db.close();
    expect(await storedDraft()).toBe('');
  });

  it('stays while the text is on its way into the outbox', async () => {
    await store.setDraft(BOB, 'hello');
    await store.flushDrafts();
    await store.setDraft(BOB, '');
    let proceed = () => {};
    const sending = store.sending(BOB, async () => {
      await new Promise<void>((resolve) => {
        proceed = resolve;
      });
      await store.add(own('hello'), store.waitingOrder());
    });
    store.writeDraftsNow();
    clock.advance(1_000);
    await store.settled();
    expect(await storedDraft()).toBe('hello');
    proceed();
    await sending;
    expect(await storedDraft()).toBe('');
  });

  it('typed behind a message that is being stored is kept', async () => {
    await store.setDraft(BOB, 'hello');
    await store.sending(BOB, async () => {
      await store.setDraft(BOB, 'and');
      await store.add(own('hello'), store.waitingOrder());
    });
    expect(await storedDraft()).toBe('and');
    await store.setDraft(BOB, 'and more');
    clock.advance(1_000);
    await store.settled();
    expect(await storedDraft()).toBe('and more');
  });
});
