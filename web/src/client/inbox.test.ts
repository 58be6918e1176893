import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from './clock';
import { ClientDb } from './db';
import { Inbox, type InboxParts, RECENT } from './inbox';
import type { MessageRecord } from './records';
import type { UnsealOutcome } from './sealing';
import type { Envelope } from './stanzas';
import { Store } from './store';
import { messageRecord } from './testing/records';

const ALICE = 'alice@home';
const BOB = 'bob@home';

let clock: ManualClock;
let store: Store;
let inbox: Inbox;
let arrived: string[];
let refused: [string, string][];
let controls: string[];
let outcome: UnsealOutcome | 'opens';
let isContact: boolean;
let uncheckedKey: string | null;
let trustedKeys: Set<string>;

beforeEach(async () => {
  clock = new ManualClock();
  store = await Store.load(await ClientDb.open(`inbox-${crypto.randomUUID()}`), clock);
  arrived = [];
  refused = [];
  controls = [];
  outcome = 'opens';
  isContact = true;
  uncheckedKey = null;
  trustedKeys = new Set();
  inbox = new Inbox(partsOf());
});

function partsOf(): InboxParts {
  return {
    own: ALICE,
    store,
    outbox: {
      onArrived: async (id) => {
        arrived.push(id);
        return id === 'in-outbox';
      },
      onRefused: async (message, failure) => void refused.push([message.id, failure]),
      enqueueControl: async (_jid, _id, stanza) => void controls.push(JSON.stringify(stanza)),
    },
    sealing: {
      unseal: async (envelope: Partial<Envelope>, _sealed, commit) => {
        if (outcome !== 'opens') {
          return outcome;
        }
        await store.db.write(await commit(envelope.body ?? 'opened', uncheckedKey));
        return { kind: 'opened' };
      },
      onEvent: async () => undefined,
      trustedKeys: async () => trustedKeys,
    },
    now: () => clock.now(),
    mayNotice: async () => isContact,
    onStored: () => undefined,
  };
}

const sealed = { senderDeviceId: 1, keys: [], iv: new Uint8Array(12), payload: new Uint8Array(1) };

function envelope(patch: Partial<Envelope>): Envelope {
  const from = patch.from ?? BOB;
  return {
    source: 'live',
    from,
    fromFull: `${from}/r`,
    peer: BOB,
    isOwn: from === ALICE,
    type: 'chat',
    isForeignCipher: false,
    wantsReceipt: false,
    isMarkable: false,
    isRecording: false,
    ...patch,
  };
}

async function stored(): Promise<MessageRecord[]> {
  const all = await store.db.messagesBefore(BOB, Number.POSITIVE_INFINITY, 100);
  return all.filter((record) => record.content.kind !== 'note');
}

async function notes(): Promise<string[]> {
  const all = await store.db.messagesBefore(BOB, Number.POSITIVE_INFINITY, 100);
  return all.flatMap(({ content }) => (content.kind === 'note' ? [content.note] : []));
}

describe('each message once', () => {
  it.each([
    ['by the id of our server', { stanzaId: 's' }, { stanzaId: 's', originId: 'other' }],
    ['by the id of its sender', { stanzaId: 's', originId: 'o' }, { stanzaId: 't', originId: 'o' }],
    ['though the first copy had no place yet', { originId: 'o' }, { stanzaId: 's', originId: 'o' }],
  ])('%s', async (_name, first, second) => {
    await inbox.take(envelope({ ...first, sealed, body: 'x' }), RECENT);
    await inbox.take(envelope({ ...second, sealed, body: 'x', source: 'archive' }), RECENT);
    expect(await stored()).toHaveLength(1);
    expect((await stored())[0]?.stanzaId).toBe('s');
  });

  it('but two people may use the same id, and one person may use an ordinary id twice', async () => {
    await inbox.take(envelope({ originId: 'o', sealed }), RECENT);
    await inbox.take(envelope({ from: 'eve@home', peer: 'eve@home', originId: 'o', sealed }), RECENT);
    await inbox.take(envelope({ id: '1', stanzaId: 'a', sealed }), RECENT);
    await inbox.take(envelope({ id: '1', stanzaId: 'b', sealed }), RECENT);
    expect(await stored()).toHaveLength(3);
    expect(await store.db.messagesBefore('eve@home', Number.POSITIVE_INFINITY, 10)).not.toHaveLength(0);
  });

  it('an own one that the archive shows is known to have arrived', async () => {
    await inbox.take(envelope({ from: ALICE, originId: 'in-outbox', stanzaId: 's', sealed }), RECENT);
    expect(arrived).toEqual(['in-outbox']);
    expect(await stored()).toEqual([]);
  });
});

describe('order', () => {
  it('is that of arrival, and history stands in front', async () => {
    await inbox.take(envelope({ stanzaId: 'b', sealed, body: 'b' }), RECENT);
    await inbox.take(envelope({ stanzaId: 'c', sealed, body: 'c' }), RECENT);
    await inbox.take(envelope({ stanzaId: 'a', sealed, body: 'a' }), { kind: 'older', order: store.reserveOlder(1) });
    expect((await stored()).map((record) => record.stanzaId)).toEqual(['a', 'b', 'c']);
  });

  it('history is neither unread nor answered', async () => {
    const old = envelope({ stanzaId: 'a', id: 'a', sealed, wantsReceipt: true });
    await inbox.take(old, { kind: 'older', order: store.reserveOlder(1) });
    expect(store.summaries.value.get(BOB)?.unread).toBe(0);
    expect(controls).toEqual([]);
    expect(await notes()).toEqual([]);
  });
});

describe('receipts', () => {
  it('answer a contact who asks, once', async () => {
    const asking = envelope({ id: 'm', stanzaId: 's', sealed, wantsReceipt: true });
    await inbox.take(asking, RECENT);
    await inbox.take(asking, RECENT);
    expect(controls).toHaveLength(1);
    expect(controls[0]).toContain('"m"');
  });

  it('tell strangers nothing', async () => {
    isContact = false;
    await inbox.take(envelope({ id: 'm', sealed, wantsReceipt: true }), RECENT);
    expect(controls).toEqual([]);
  });

  it('are not sent for what is long past', async () => {
    const at = clock.now() - 30 * 24 * 3600_000;
    await inbox.take(envelope({ id: 'm', sealed, wantsReceipt: true, at }), RECENT);
    expect(controls).toEqual([]);
  });

  it('raise the state, and prove that the server had the message', async () => {
    await store.add(messageRecord({ id: 'm', isOwn: true, state: 'sent' }), 1);
    await inbox.take(envelope({ receiptFor: 'm' }), RECENT);
    expect((await store.db.getMessage('m'))?.state).toBe('delivered');
    expect(arrived).toContain('m');
  });

  it('of somebody else change nothing', async () => {
    await store.add(messageRecord({ id: 'm', isOwn: true, state: 'sent' }), 1);
    await inbox.take(envelope({ from: 'eve@home', peer: 'eve@home', receiptFor: 'm' }), RECENT);
    expect((await store.db.getMessage('m'))?.state).toBe('sent');
  });
});

describe('markers', () => {
  it('cover everything in front of them', async () => {
    for (const [index, id] of ['a', 'b', 'c'].entries()) {
      await store.add(messageRecord({ id, isOwn: true, state: index === 0 ? 'delivered' : 'sent' }), index + 1);
    }
    await inbox.take(envelope({ displayed: 'b' }), RECENT);
    const states = await Promise.all(['a', 'b', 'c'].map(async (id) => (await store.db.getMessage(id))?.state));
    expect(states).toEqual(['read', 'read', 'sent']);
  });

  it('of our other device clear what is unread', async () => {
    await inbox.take(envelope({ id: 'a', stanzaId: 'a', sealed }), RECENT);
    await inbox.take(envelope({ id: 'b', stanzaId: 'b', sealed }), RECENT);
    expect(store.summaries.value.get(BOB)?.unread).toBe(2);
    await inbox.take(envelope({ from: ALICE, displayed: 'a', source: 'carbon' }), RECENT);
    expect(store.summaries.value.get(BOB)?.unread).toBe(1);
  });

  it('an answer from our other device clears, too', async () => {
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    await inbox.take(envelope({ from: ALICE, stanzaId: 'b', sealed, source: 'carbon' }), RECENT);
    expect(store.summaries.value.get(BOB)?.unread).toBe(0);
  });
});

describe('classes', () => {
  it('plain text is shown for what it is, and the change is noted both ways', async () => {
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    await inbox.take(envelope({ stanzaId: 'b', body: 'in clear' }), RECENT);
    await inbox.take(envelope({ stanzaId: 'c', body: 'in clear, too' }), RECENT);
    await inbox.take(envelope({ stanzaId: 'd', sealed }), RECENT);
    expect((await stored()).map((record) => record.confidentiality)).toEqual([
      'sealed',
      'managed',
      'managed',
      'sealed',
    ]);
    expect(await notes()).toEqual(['first-contact', 'plain-from-them', 'class-changed']);
    expect(store.conversation(BOB).confidentiality).toBe('sealed');
  });

  it('what we write sealed in between does not have it noted again', async () => {
    await inbox.take(envelope({ stanzaId: 'a', body: 'in clear' }), RECENT);
    expect(store.summaries.value.get(BOB)?.isPlainFromThem).toBe(true);
    await inbox.take(envelope({ from: ALICE, stanzaId: 'b', sealed, source: 'carbon' }), RECENT);
    await inbox.take(envelope({ stanzaId: 'c', body: 'in clear' }), RECENT);
    expect(await notes()).toEqual(['plain-from-them']);
  });
});

describe('what cannot be opened', () => {
  it('is shown as such', async () => {
    outcome = { kind: 'unreadable', reason: 'broken' };
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    await inbox.take(envelope({ stanzaId: 'b', body: 'fallback', isForeignCipher: true }), RECENT);
    expect((await stored()).map((record) => record.content)).toEqual([
      { kind: 'unreadable', reason: 'broken' },
      { kind: 'unreadable', reason: 'unsupported' },
    ]);
  });

  it('does not count as unread when it is for another device', async () => {
    outcome = { kind: 'unreadable', reason: 'not-for-this-device' };
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    expect(store.summaries.value.get(BOB)?.unread).toBe(0);
    expect(await stored()).toHaveLength(1);
  });

  it('is opened later when the device was refused and is trusted now', async () => {
    outcome = { kind: 'refused', reason: 'key-changed' };
    await inbox.take(envelope({ stanzaId: 'a', sealed, isMarkable: true }), RECENT);
    await inbox.take(envelope({ stanzaId: 'b', sealed }), RECENT);
    await store.markRead(BOB, Number.MAX_SAFE_INTEGER);
    await inbox.reopen(BOB);
    expect((await stored())[0]?.content).toEqual({ kind: 'unreadable', reason: 'key-changed' });
    outcome = 'opens';
    await inbox.reopen(BOB);
    const records = await stored();
    expect(records.map(({ content }) => content)).toEqual(Array(2).fill({ kind: 'text', text: 'opened' }));
    expect(records.map(({ refused: left }) => left)).toEqual([undefined, undefined]);
    expect(store.summaries.value.get(BOB)?.unread).toBe(2);
  });

  it('keeps nothing else waiting while the server is asked for keys', async () => {
    outcome = { kind: 'refused', reason: 'distrusted' };
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    const [record] = await stored();
    let answer = (_outcome: UnsealOutcome) => {};
    let ask = () => {};
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    const unseal = () =>
      new Promise<UnsealOutcome>((resolve) => {
        answer = resolve;
        ask();
      });
    const asking = new Inbox({ ...partsOf(), sealing: { ...partsOf().sealing, unseal } });
    const reopened = asking.reopen(BOB);
    await asked;
    await store.update(record?.id ?? '', (current) => ({ ...current, isMarkable: true }));
    answer({ kind: 'unreadable', reason: 'broken' });
    await reopened;
    expect((await stored())[0]).toMatchObject({ isMarkable: true, content: { reason: 'broken' } });
  });

  it('stays closed for good when trusting the device did not help', async () => {
    outcome = { kind: 'refused', reason: 'distrusted' };
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    outcome = { kind: 'unreadable', reason: 'broken' };
    await inbox.reopen(BOB);
    expect((await stored())[0]?.content).toEqual({ kind: 'unreadable', reason: 'broken' });
  });

  it('is not shown when it had nothing to show', async () => {
    outcome = { kind: 'unreadable', reason: 'not-for-this-device' };
    await inbox.take(envelope({ stanzaId: 'a', sealed: { ...sealed, payload: null } }), RECENT);
    expect(await stored()).toEqual([]);
  });
});

describe('the storage', () => {
  it('is to blame when it fails, never the message', async () => {
    const unseal = () => Promise.reject(new DOMException('closed', 'InvalidStateError'));
    const failing = new Inbox({ ...partsOf(), sealing: { ...partsOf().sealing, unseal } });
    await expect(failing.take(envelope({ stanzaId: 'a', sealed }), RECENT)).rejects.toMatchObject({
      code: 'store-unavailable',
    });
    expect(await stored()).toEqual([]);
  });
});

describe('the first note', () => {
  it('is not doubled when the message that it precedes comes again', async () => {
    await inbox.introduce(BOB);
    // As after a crash: what was remembered is gone.
    const again = new Inbox({ ...partsOf(), store: await Store.load(store.db, clock) });
    await Promise.all([again.introduce(BOB), again.introduce(BOB)]);
    expect(await notes()).toEqual(['first-contact']);
  });
});

describe('errors', () => {
  const error = { condition: 'service-unavailable', type: 'cancel' };

  it('find the message that came back', async () => {
    await store.add(messageRecord({ id: 'm', isOwn: true, state: 'sent' }), 1);
    await inbox.take(envelope({ id: 'm', type: 'error', error }), RECENT);
    expect(refused).toEqual([['m', 'recipient-unknown']]);
  });

  it('of somebody else are ignored', async () => {
    await store.add(messageRecord({ id: 'm', isOwn: true, state: 'sent' }), 1);
    await inbox.take(envelope({ from: 'eve@home', peer: 'eve@home', id: 'm', type: 'error', error }), RECENT);
    expect(refused).toEqual([]);
  });
});

describe('a message of a device that nothing is decided about', () => {
  it('is told apart until the person trusts the key that it came from', async () => {
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    uncheckedKey = 'key';
    await inbox.take(envelope({ stanzaId: 'b', sealed }), RECENT);
    const marks = async () => (await stored()).map((record) => store.view(record).isUnchecked);
    expect(await marks()).toEqual([undefined, true]);
    trustedKeys = new Set(['another']);
    await inbox.reopen(BOB);
    expect(await marks()).toEqual([undefined, true]);
    trustedKeys = new Set(['key']);
    await inbox.reopen('eve@home');
    expect(await marks()).toEqual([undefined, true]);
    await inbox.reopen(BOB);
    expect(await marks()).toEqual([undefined, undefined]);
  });

  it('is told apart also when it was refused at first', async () => {
    outcome = { kind: 'refused', reason: 'distrusted' };
    await inbox.take(envelope({ stanzaId: 'a', sealed }), RECENT);
    outcome = 'opens';
    uncheckedKey = 'key';
    await inbox.reopen(BOB);
    expect(await stored()).toMatchObject([{ uncheckedKey: 'key', content: { kind: 'text' } }]);
  });
});
