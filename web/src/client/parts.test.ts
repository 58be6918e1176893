import 'fake-indexeddb/auto';
import { describe, expect, it, vi } from 'vitest';
import { encryptFile, toAesGcmUrl } from '../e2ee';
import { ManualClock } from './clock';
import { ClientDb } from './db';
import { parseDevice } from './devices';
import { contentOf, Files, fileNameOf } from './files';
import type { Link } from './link';
import { buildPresence, capsVersion, discoInfo, FEATURES, Presences } from './presence';
import type { MessageRecord } from './records';
import { parseItem, Roster } from './roster';
import { fragmentOf, secretOf } from './secrets';
import type { Envelope } from './stanzas';
import { Store } from './store';
import { TaskGroup } from './tasks';
import { messageRecord } from './testing/records';
import { ThreadModel } from './thread';
import { Typing } from './typing';
import { parseSlot, uploadErrorOf } from './uploads';
import { find, type XmlNode, x } from './xml';

const CLIENT = 'jabber:client';

describe('the database', () => {
  it('keeps nothing of the content readable', async () => {
    const name = `sealed-${crypto.randomUUID()}`;
    const db = await ClientDb.open(name);
    const content = { kind: 'text', text: 'the treasure is under the oak' } as const;
    await db.write([await db.sealMessage(messageRecord({ id: 'm', content }))]);
    await db.putMeta('session', { secret: 'do not tell' });
    const raw = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
    });
    for (const store of ['messages', 'meta']) {
      const rows = await new Promise<unknown[]>((resolve) => {
        const request = raw.transaction(store).objectStore(store).getAll();
        request.onsuccess = () => resolve(request.result);
      });
      const bytes = rows.map((row) => {
        const { sealed } = row as { sealed: { data: Uint8Array } };
        return JSON.stringify(row) + new TextDecoder().decode(sealed.data);
      });
      expect(rows).not.toHaveLength(0);
      expect(bytes.join()).not.toMatch(/treasure|tell/);
    }
    expect((await db.getMessage('m'))?.content).toEqual(content);
    raw.close();
  });

  it('refuses a record that was put in the place of another', async () => {
    const db = await ClientDb.open(`swap-${crypto.randomUUID()}`);
    const sealed = await db.sealMessage(messageRecord({ id: 'a' }));
    const { value } = sealed as { value: object };
    await db.write([{ store: 'messages', value: { ...value, id: 'b' } }]);
    await expect(db.getMessage('b')).rejects.toMatchObject({ code: 'store-corrupt' });
  });
});

describe('a thread', () => {
  it('loads pages from the end and keeps them in order', async () => {
    const store = await Store.load(await ClientDb.open(`thread-${crypto.randomUUID()}`), new ManualClock());
    for (let index = 0; index < 100; index += 1) {
      await store.add(messageRecord({ id: `m${index}`, ...(index >= 90 && { isUnread: true }) }), store.nextOrder());
    }
    const thread = store.thread('bob@home');
    await thread.load();
    expect(thread.messages.value).toHaveLength(40);
    expect(thread.firstUnread).toBe('m90');
    expect(await thread.loadStored()).toBe(true);
    expect(await thread.loadStored()).toBe(true);
    expect(await thread.loadStored()).toBe(false);
    expect(thread.messages.value.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => `m${index}`));
  });

  it('shows nothing without what stands between, though an old message changes while it is loaded', async () => {
    const store = await Store.load(await ClientDb.open(`early-${crypto.randomUUID()}`), new ManualClock());
    for (let index = 0; index < 60; index += 1) {
      await store.add(messageRecord({ id: `m${index}` }), store.nextOrder());
    }
    const old = await store.db.getMessage('m0');
    const newest = await store.db.getMessage('m59');
    const thread = store.thread('bob@home');
    const loading = thread.load();
    thread.put({ ...(old as MessageRecord), isUnread: true });
    thread.put({ ...(newest as MessageRecord), at: 1 });
    thread.drop('m58');
    await loading;
    const ids = thread.records.map(({ id }) => id);
    expect(ids).toEqual([...Array.from({ length: 38 }, (_, index) => `m${index + 20}`), 'm59']);
    expect(thread.newest?.at).toBe(1);
    await thread.loadStored();
    expect(thread.records[0]?.id).toBe('m0');
  });

  it('can be loaded when it could not be before', async () => {
    const db = await ClientDb.open(`again-${crypto.randomUUID()}`);
    const store = await Store.load(db, new ManualClock());
    await store.add(messageRecord({ id: 'a' }), store.nextOrder());
    let isBroken = true;
    const reading: Pick<ClientDb, 'messagesBefore'> = {
      messagesBefore: (...args) => (isBroken ? Promise.reject(new Error('broken')) : db.messagesBefore(...args)),
    };
    const thread = new ThreadModel('bob@home', reading as ClientDb, (record) => store.view(record));
    await expect(thread.load()).rejects.toThrow('broken');
    isBroken = false;
    await thread.load();
    expect(thread.records).toHaveLength(1);
  });

  it('keeps the objects of messages that did not change', async () => {
    const store = await Store.load(await ClientDb.open(`same-${crypto.randomUUID()}`), new ManualClock());
    const thread = store.thread('bob@home');
    await thread.load();
    await store.add(messageRecord({ id: 'a' }), store.nextOrder());
    const [before] = thread.messages.value;
    await store.add(messageRecord({ id: 'b' }), store.nextOrder());
    expect(thread.messages.value[0]).toBe(before);
  });

  it('shows one line for a run of messages that were for other devices', async () => {
    const store = await Store.load(await ClientDb.open(`fold-${crypto.randomUUID()}`), new ManualClock());
    const thread = store.thread('bob@home');
    await thread.load();
    const unreadable = { kind: 'unreadable', reason: 'not-for-this-device' } as const;
    for (const id of ['a', 'b']) {
      await store.add(messageRecord({ id, content: unreadable }), store.nextOrder());
    }
    await store.add(messageRecord({ id: 'c' }), store.nextOrder());
    await store.add(messageRecord({ id: 'd', content: unreadable }), store.nextOrder());
    expect(thread.messages.value.map(({ id }) => id)).toEqual(['b', 'c', 'd']);
  });

  it('drafts outlive the page', async () => {
    const name = `draft-${crypto.randomUUID()}`;
    const clock = new ManualClock();
    const store = await Store.load(await ClientDb.open(name), clock);
    await store.setDraft('bob@home', 'half a sen');
    await store.flushDrafts();
    const again = await Store.load(await ClientDb.open(name), clock);
    expect(again.summaries.value.get('bob@home')?.draft).toBe('half a sen');
  });
});

describe('voice messages', () => {
  const digits = 'ab'.repeat(44);

  it.each([
    [`aesgcm://host/f.ogg#${digits}`, 'voice'],
    [`  aesgcm://host/a/b.M4A#${digits}\n`, 'voice'],
    [`aesgcm://host/f.jpg#${digits}`, 'file'],
    [`aesgcm://host/f.pdf#${digits}\ndata:image/jpeg,/9j/4A`, 'file'],
    [`aesgcm://host/f.pdf#${digits}\nlook at this`, 'text'],
    [`aesgcm://host/#${digits}`, 'text'],
    [`listen: aesgcm://host/f.ogg#${digits}`, 'text'],
    ['https://host/f.ogg', 'text'],
  ])('%s is %s', (text, kind) => {
    expect(contentOf(text).kind).toBe(kind);
  });

  it.each([
    ['report%20May.pdf', 'report May.pdf'],
    ['a%2F..%2Fb.pdf', 'a..b.pdf'],
    ['x%E2%80%AEfdp.exe', 'xfdp.exe'],
    ['%E0%A4%A', '%E0%A4%A'],
  ])('the name in %s is %s', (segment, name) => {
    expect(fileNameOf(segment)).toBe(name);
  });

  it('keys survive the way through the outbox', async () => {
    const { secret } = await encryptFile(new Uint8Array(3));
    expect(secretOf(fragmentOf(secret))).toEqual(secret);
  });

  async function recordings(answer: (url: string) => Response, bytes = new Uint8Array([1, 2, 3])) {
    const store = await Store.load(await ClientDb.open(`voice-${crypto.randomUUID()}`), new ManualClock());
    const { ciphertext, secret } = await encryptFile(bytes);
    const content = contentOf(toAesGcmUrl('https://host/f.ogg', secret));
    const record = await store.add(messageRecord({ id: 'v', content }), store.nextOrder());
    const asked: string[] = [];
    const files = new Files({
      store,
      tasks: new TaskGroup(),
      fetcher: async (url) => {
        asked.push(String(url));
        return answer === ok ? new Response(ciphertext) : answer(String(url));
      },
      analyse: async () => ({ durationMs: 1500, waveform: [0.5] }),
      isPlainHost: () => false,
    });
    return { store, files, asked, record };
  }

  const ok = () => new Response();

  it('are fetched once, opened, measured and kept', async () => {
    const { store, files, asked } = await recordings(ok);
    const [first, second] = await Promise.all([files.get('v'), files.get('v')]);
    expect(new Uint8Array(await first.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]));
    expect(second.size).toBe(first.size);
    expect((await files.get('v')).size).toBe(3);
    expect(asked).toEqual(['https://host/f.ogg']);
    expect((await store.db.getMessage('v'))?.content).toMatchObject({ durationMs: 1500, sizeBytes: 3 });
  });

  it('that were changed on the way are unavailable', async () => {
    const { store, files } = await recordings(() => new Response(new Uint8Array(40)));
    await expect(files.get('v')).rejects.toMatchObject({ code: 'content-corrupt' });
    expect((await store.db.getMessage('v'))?.content).toMatchObject({ isUnavailable: true });
  });

  it('that are gone are unavailable, and a server in trouble means nothing', async () => {
    const gone = await recordings(() => new Response('', { status: 404 }));
    await expect(gone.files.get('v')).rejects.toThrow();
    expect((await gone.store.db.getMessage('v'))?.content).toMatchObject({ isUnavailable: true });
    const ill = await recordings(() => new Response('', { status: 503 }));
    await expect(ill.files.get('v')).rejects.toThrow();
    expect((await ill.store.db.getMessage('v'))?.content).not.toHaveProperty('isUnavailable');
  });

  it('that are no recordings are kept as they are; of those that nobody asked for, only the size is', async () => {
    const { store, files, asked } = await recordings(ok);
    const content = contentOf(`aesgcm://host/plan.pdf#${'ab'.repeat(44)}`);
    const record = await store.add(messageRecord({ id: 'f', content }), store.nextOrder());
    files.fetchLater(record);
    await vi.waitFor(() => expect(asked).toEqual(['https://host/plan.pdf']));
    expect((await store.db.getMessage('f'))?.content).toMatchObject({ name: 'plan.pdf', isStored: false });
  });

  it('that are too large are not fetched unasked', async () => {
    const { files, record, store } = await recordings(ok, new Uint8Array(5 * 1024 * 1024 + 1));
    files.fetchLater(record);
    await Promise.resolve();
    await expect(files.get('v')).resolves.toBeInstanceOf(Blob);
    expect((await store.db.getMessage('v'))?.content).toMatchObject({ durationMs: 1500 });
  });
});

describe('slots', () => {
  const ns = 'urn:xmpp:http:upload:0';

  it('take over the headers that they may, and no line breaks', () => {
    const headers = [
      x(ns, 'header', { name: 'Authorization' }, 'Basic\r\nX: y'),
      x(ns, 'header', { name: 'X-Other' }, 'no'),
    ];
    const slot = x(ns, 'slot', {}, x(ns, 'put', { url: 'p' }, ...headers), x(ns, 'get', { url: 'g' }));
    expect(parseSlot(x(CLIENT, 'iq', {}, slot), 7)).toEqual({
      put: 'p',
      get: 'g',
      headers: { Authorization: 'BasicX: y' },
      at: 7,
    });
    expect(() => parseSlot(x(CLIENT, 'iq'), 7)).toThrow();
  });

  it.each([
    [0, null, false],
    [503, null, false],
    [429, null, false],
    [413, 'too-large', false],
    [507, 'quota', false],
    [403, 'refused', true],
    [410, 'refused', true],
    [400, 'refused', false],
  ] as const)('an answer of %d', (status, failure, isSlotSpent) => {
    expect(uploadErrorOf(status)).toMatchObject({ failure, isSlotSpent });
  });
});

describe('presence', () => {
  const presence = (from: string, patch: { type?: string; show?: string } = {}): XmlNode =>
    x(CLIENT, 'presence', { from, type: patch.type }, patch.show ? x(CLIENT, 'show', {}, patch.show) : null);

  it('shows the best of several devices, and tells when the last is gone', () => {
    const left: string[] = [];
    const presences = new Presences((jid) => left.push(jid));
    presences.take(presence('bob@home/a', { show: 'xa' }));
    expect(presences.of('bob@home')).toBe('away');
    presences.take(presence('bob@home/b', { show: 'dnd' }));
    expect(presences.of('bob@home')).toBe('busy');
    presences.take(presence('bob@home/b', { type: 'unavailable' }));
    expect(presences.of('bob@home')).toBe('away');
    presences.take(presence('bob@home/a', { type: 'unavailable' }));
    expect(presences.of('bob@home')).toBe('offline');
    expect(left).toEqual(['bob@home']);
  });

  it('announces what the answer to a question says', async () => {
    const caps = find(await buildPresence(), 'http://jabber.org/protocol/caps', 'c');
    expect(caps?.attrs.ver).toBe(await capsVersion());
    expect(FEATURES).toContain('eu.siacs.conversations.axolotl.devicelist+notify');
    const node = `${caps?.attrs.node}#${caps?.attrs.ver}`;
    const question = x(CLIENT, 'iq', {}, x('http://jabber.org/protocol/disco#info', 'query', { node }));
    expect(discoInfo(question).attrs.node).toBe(node);
  });
});

describe('the roster', () => {
  async function roster() {
    const sent: XmlNode[] = [];
    const pushes: { handler?: (iq: XmlNode) => XmlNode | null } = {};
    const link = {
      onIq: (_type: string, _ns: string, handler: (iq: XmlNode) => XmlNode | null) => {
        pushes.handler = handler;
      },
      send: (stanza: XmlNode) => void sent.push(stanza),
      sendIfOpen: (stanza: XmlNode) => void sent.push(stanza),
      request: async (_type: string, payload: XmlNode) => {
        sent.push(payload);
        return x(CLIENT, 'iq');
      },
    };
    const db = await ClientDb.open(`roster-${crypto.randomUUID()}`);
    const part = new Roster(db, link as unknown as Link, 'alice@home');
    const push = (attrs: Record<string, string>, from?: string) => {
      const query = x('jabber:iq:roster', 'query', { ver: '2' }, x('jabber:iq:roster', 'item', attrs));
      return pushes.handler?.(x(CLIENT, 'iq', { from }, query));
    };
    return { part, sent, push, db };
  }

  it('follows pushes of our own server only, and keeps them', async () => {
    const { part, push, db } = await roster();
    push({ jid: 'bob@home', name: 'Bob', subscription: 'both' });
    expect(() => push({ jid: 'eve@home', subscription: 'both' }, 'eve@home')).toThrow();
    expect([...part.items.value.keys()]).toEqual(['bob@home']);
    await part.settled();
    expect(await db.roster()).toHaveLength(1);
    push({ jid: 'bob@home', subscription: 'remove' });
    await part.settled();
    expect(await db.roster()).toEqual([]);
  });

  it('asks the person about strangers, and lets in whom the person asked', async () => {
    const { part, sent, push } = await roster();
    const subscribe = (from: string) => x(CLIENT, 'presence', { from, type: 'subscribe' });
    part.takePresence(subscribe('carol@home'));
    part.takePresence(subscribe('carol@home'));
    expect(part.requests.value).toEqual([{ jid: 'carol@home', name: 'carol' }]);
    push({ jid: 'bob@home', subscription: 'none', ask: 'subscribe' });
    part.takePresence(subscribe('bob@home'));
    expect(part.requests.value).toHaveLength(1);
    expect(sent.at(-1)?.attrs).toEqual({ to: 'bob@home', type: 'subscribed' });
    await part.accept('carol@home');
    expect(part.requests.value).toEqual([]);
  });

  it('leaves out items that cannot be one', () => {
    expect(parseItem(x('jabber:iq:roster', 'item', {}))).toEqual([]);
    expect(parseItem(x('jabber:iq:roster', 'item', { jid: 'a@b', subscription: 'odd' }))).toMatchObject([
      { subscription: 'none' },
    ]);
  });
});

describe('typing', () => {
  const envelope = (patch: Partial<Envelope>) =>
    ({ source: 'live', isOwn: false, peer: 'bob@home', isRecording: false, ...patch }) as Envelope;

  it('ends with the message, and by itself when nothing more is heard', () => {
    const clock = new ManualClock();
    const typing = new Typing(clock, () => undefined);
    typing.take(envelope({ chatState: 'composing', isRecording: true }));
    expect(typing.doing.value.get('bob@home')).toBe('recording');
    typing.take(envelope({ body: 'done' }));
    expect(typing.doing.value.size).toBe(0);
    typing.take(envelope({ chatState: 'composing' }));
    clock.advance(30_000);
    expect(typing.doing.value.size).toBe(0);
  });

  it('is told once in a while, not with every key', () => {
    const clock = new ManualClock();
    const sent: XmlNode[] = [];
    const typing = new Typing(clock, (_jid, stanza) => void sent.push(stanza));
    typing.tell('bob@home', null);
    typing.tell('bob@home', 'typing');
    typing.tell('bob@home', 'typing');
    expect(sent).toHaveLength(1);
    clock.advance(20_000);
    typing.tell('bob@home', 'typing');
    typing.tell('bob@home', null);
    expect(sent).toHaveLength(3);
  });
});

it('a device in the list of installations needs a name to be revoked by', () => {
  const ns = 'urn:parley:devices:0';
  expect(parseDevice(x(ns, 'device', { name: 'x' }), 'me')).toEqual([]);
  expect(parseDevice(x(ns, 'device', { resource: 'me', online: 'true' }), 'me')).toEqual([
    { resource: 'me', name: 'me', lastSeen: 0, isOnline: true, isThisDevice: true },
  ]);
});
