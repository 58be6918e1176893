import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../e2ee';
import type { Archive, Page, PageQuery } from './archive';
import { ManualClock } from './clock';
import { ClientDb } from './db';
import { OfflineError, StanzaError } from './errors';
import type { Inbox } from './inbox';
import type { Archived, Envelope } from './stanzas';
import { Store } from './store';
import { Sync } from './sync';
import { TaskGroup } from './tasks';

let archive: string[];
let asked: PageQuery[];
let taken: string[];
let failing: Map<string, Error>;
let databaseName: string;
let cutAfterPages: number;
let gaps: number;

function envelope(id: string): Envelope {
  return { stanzaId: id } as Envelope;
}

function page(query: PageQuery): Page {
  if (cutAfterPages === 0) {
    throw new OfflineError('session-lost');
  }
  cutAfterPages -= 1;
  asked.push(query);
  if (query.after !== undefined && !archive.includes(query.after)) {
    throw new StanzaError('item-not-found', 'cancel');
  }
  const start = query.after === undefined ? 0 : archive.indexOf(query.after) + 1;
  const end = query.before ? archive.indexOf(query.before) : archive.length;
  const range = archive.slice(start, end);
  const ids = query.before === undefined ? range.slice(0, query.max) : range.slice(-query.max);
  const entries = ids.map((id): Archived => ({ queryId: '', archiveId: id, envelope: envelope(id) }));
  return { entries, isComplete: ids.length === range.length };
}

async function sync(): Promise<Sync> {
  const db = await ClientDb.open(databaseName);
  return new Sync({
    db,
    tasks: new TaskGroup(),
    onGap: () => {
      gaps += 1;
    },
    store: await Store.load(db, new ManualClock()),
    archive: { page: async (query) => page(query) } as Pick<Archive, 'page'> as Archive,
    inbox: {
      take: async ({ stanzaId }) => {
        const error = failing.get(stanzaId ?? '');
        if (error) {
          throw error;
        }
        taken.push(stanzaId ?? '');
      },
    } as Pick<Inbox, 'take'> as Inbox,
  });
}

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `a${index}`);
}

beforeEach(() => {
  archive = [];
  asked = [];
  taken = [];
  failing = new Map();
  gaps = 0;
  cutAfterPages = Number.POSITIVE_INFINITY;
  databaseName = `sync-${crypto.randomUUID()}`;
});

describe('catching up', () => {
  it('for the first time takes the newest, oldest first, and goes on from there', async () => {
    archive = ids(450);
    await (await sync()).catchUp();
    expect(taken).toEqual(ids(450).slice(150));
    archive.push('new');
    taken = [];
    await (await sync()).catchUp();
    expect(taken).toEqual(['new']);
    expect(asked.at(-1)).toMatchObject({ after: 'a449' });
  });

  it('takes all pages that were missed', async () => {
    archive = ['a'];
    await (await sync()).catchUp();
    archive.push(...ids(250));
    await (await sync()).catchUp();
    expect(taken).toEqual(['a', ...ids(250)]);
  });

  it('that was cut between two pages goes on behind the first', async () => {
    archive = ['a'];
    const running = await sync();
    await running.catchUp();
    archive.push(...ids(250));
    running.fallBehind();
    cutAfterPages = 1;
    await expect(running.catchUp()).rejects.toBeInstanceOf(OfflineError);
    expect(running.isBehind).toBe(true);
    // What comes meanwhile must not move the mark past the pages that are missing.
    archive.push('live');
    running.take(envelope('live'));
    await running.enqueue(async () => undefined);
    cutAfterPages = Number.POSITIVE_INFINITY;
    asked = [];
    await running.catchUp();
    expect(asked[0]).toMatchObject({ after: 'a99' });
    expect(running.isBehind).toBe(false);
    expect([...new Set(taken)].sort()).toEqual([...new Set(['a', ...ids(250), 'live'])].sort());
  });

  it('begins anew when the archive has forgotten where we were', async () => {
    archive = ['a'];
    await (await sync()).catchUp();
    archive = ['b'];
    await (await sync()).catchUp();
    expect(taken).toEqual(['a', 'b']);
  });
});

describe('when the archive has forgotten where we were', () => {
  it('takes all that it has', async () => {
    archive = ['old'];
    await (await sync()).catchUp();
    archive = ids(450);
    taken = [];
    await (await sync()).catchUp();
    expect(taken).toEqual(ids(450));
  });
});

describe('what comes over the stream', () => {
  it('stands behind the catch-up that is under way', async () => {
    archive = ['a', 'b'];
    const running = await sync();
    const catchUp = running.enqueue(() => running.catchUp());
    running.take(envelope('live'));
    await catchUp;
    await running.enqueue(async () => undefined);
    expect(taken).toEqual(['a', 'b', 'live']);
  });

  it.each([new StoreError('store-unavailable', 'full'), new OfflineError('session-lost')])(
    'comes again from the archive when %s stood in its way',
    async (failure) => {
      const running = await sync();
      await running.catchUp();
      running.take(envelope('a'));
      failing.set('b', failure);
      running.take(envelope('b'));
      running.take(envelope('c'));
      await running.enqueue(async () => undefined);
      expect(gaps).toBe(1);
      expect(running.isBehind).toBe(true);
      failing.clear();
      archive = ['a', 'b', 'c'];
      await (await sync()).catchUp();
      expect(asked.at(-1)).toMatchObject({ after: 'a' });
      expect(taken).toEqual(['a', 'c', 'b', 'c']);
    },
  );

  it('does not move the mark past what a catch-up that failed has left out', async () => {
    archive = ['a'];
    const running = await sync();
    await running.catchUp();
    archive.push('missed', 'live');
    running.fallBehind();
    failing.set('missed', new StoreError('store-unavailable', 'full'));
    await expect(running.catchUp()).rejects.toThrow();
    expect(running.isBehind).toBe(true);
    running.take(envelope('live'));
    await running.enqueue(async () => undefined);
    failing.clear();
    taken = [];
    await running.catchUp();
    expect(running.isBehind).toBe(false);
    expect(taken).toEqual(['missed', 'live']);
  });
});
