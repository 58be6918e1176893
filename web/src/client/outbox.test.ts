import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ManualClock } from './clock';
import { OfflineError, StanzaError } from './errors';
import { uploadBlobId } from './outbox-entries';
import type { MessageRecord } from './records';
import { Bench, BOB, type Process, SLOT, until } from './testing/bench';
import { UploadError } from './uploads';
import { x } from './xml';

let bench: Bench;
let clock: ManualClock;

const start = () => bench.start();
const crash = (process: Process) => bench.crash(process);

beforeEach(() => {
  bench = new Bench();
  clock = bench.clock;
});

afterEach(() => {
  bench.close();
  expect(bench.failures).toEqual([]);
});

describe('sending', () => {
  it('keeps the order of a conversation and sends each message once', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await Promise.all(['a', 'b', 'c'].map((id) => process.text(id)));
    await until(() => process.sent.length === 3);
    process.outbox.kick();
    await until(async () => (await process.state('c'))?.state === 'sending');
    expect(process.ids()).toEqual(['a', 'b', 'c']);
  });

  it('keeps the order when a message takes longer to be stored than the one behind it', async () => {
    const process = await start();
    process.outbox.onReady(false);
    const long = process.outbox.enqueueText(process.message('long'), 'x'.repeat(16_000_000));
    await Promise.all([long, process.text('short')]);
    await until(() => process.sent.length === 2);
    expect(process.ids()).toEqual(['long', 'short']);
  });

  it('is done when the server has it', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.sent.length === 1);
    expect(process.outbox.waitingCount.value).toBe(1);
    await process.outbox.onAcked(['a']);
    expect(await process.state('a')).toMatchObject({ state: 'sent' });
    expect(process.outbox.waitingCount.value).toBe(0);
    expect(await process.store.db.outbox()).toEqual([]);
  });

  it('waits for the connection', async () => {
    const process = await start();
    process.link.isOpen = false;
    await process.text('a');
    expect(await process.state('a')).toMatchObject({ state: 'waiting', waitingFor: 'connection' });
    process.link.isOpen = true;
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
  });

  it('repeats nothing over a resumed session, and everything unacknowledged over a new one, to the byte', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await until(() => process.sent.length === 2);
    await process.outbox.onAcked(['a']);
    await process.outbox.onOffline();
    process.outbox.onReady(true);
    await process.outbox.onOffline();
    process.outbox.onReady(false);
    await until(() => process.sent.length === 3);
    expect(process.sent[2]).toBe(process.sent[1]);
    expect(process.sealedBodies).toHaveLength(2);
  });

  it('is not repeated when the archive shows it', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.sent.length === 1);
    await process.outbox.onOffline();
    expect(await process.outbox.onArrived('a', 'archive-1', 42)).toBe(true);
    process.outbox.onReady(false);
    expect(await process.store.db.getMessage('a')).toMatchObject({ state: 'sent', stanzaId: 'archive-1', at: 42 });
    expect(process.sent).toHaveLength(1);
    expect(await process.outbox.onArrived('a', 'archive-1')).toBe(false);
  });
});

describe('a crash', () => {
  it('before sealing: the message is sealed and sent by the next process', async () => {
    let process = await start();
    process.sealing = 'crash-before-commit';
    process.outbox.onReady(false);
    await process.text('a');
    process = await crash(process);
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    expect(process.sealedBodies).toEqual(['body of a']);
  });

  it('between sealing and sending: what was sealed is sent, and not sealed again', async () => {
    let process = await start();
    process.sealing = 'crash-after-commit';
    process.outbox.onReady(false);
    await process.text('a');
    await until(async () => (await process.store.db.outbox())[0]?.stanza !== undefined);
    const stored = (await process.store.db.outbox())[0]?.stanza;
    process = await crash(process);
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    expect(process.sent[0]).toBe(stored);
    expect(process.sealedBodies).toEqual([]);
  });

  it('after sending: the same bytes go out again, unless the archive has them', async () => {
    let process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await until(() => process.sent.length === 2);
    const before = [...process.sent];
    process = await crash(process);
    expect(await process.state('b')).toMatchObject({ state: 'waiting', waitingFor: 'connection' });
    await process.outbox.onArrived('a', 'archive-1');
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    expect(process.sent).toEqual([before[1]]);
  });

  it('during an upload: it goes on in the same slot', async () => {
    let process = await start();
    process.upload = () => new Promise(() => undefined);
    process.outbox.onReady(false);
    await process.voice('v');
    await until(async () => (await process.store.db.outbox())[0]?.upload?.slot !== undefined);
    process = await crash(process);
    const slots: string[] = [];
    process.upload = async (slot) => void slots.push(slot.put);
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    expect(slots).toEqual([SLOT.put]);
    expect(process.slotsGiven).toBe(0);
    expect(process.sealedBodies[0]).toMatch(/^aesgcm:\/\/home\/get\.ogg#[0-9a-f]{88}$/);
  });

  it('after an upload: nothing is uploaded again', async () => {
    let process = await start();
    process.sealing = 'crash-before-commit';
    process.outbox.onReady(false);
    await process.voice('v');
    await until(async () => (await process.store.db.outbox())[0]?.body !== undefined);
    process = await crash(process);
    process.upload = () => Promise.reject(new Error('must not be called'));
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    expect(await process.store.db.getBlob(uploadBlobId({ messageId: 'v' }))).toBeUndefined();
  });

  it('keeps the order across processes', async () => {
    let process = await start();
    process.link.isOpen = false;
    await process.text('a');
    await process.text('b');
    process = await crash(process);
    await process.text('c');
    process.outbox.onReady(false);
    await until(() => process.sent.length === 3);
    expect(process.ids()).toEqual(['a', 'b', 'c']);
  });
});

describe('waiting', () => {
  it.each(['devices', 'trust'] as const)('for %s holds back messages, but no markers', async (reason) => {
    const process = await start();
    process.sealing = reason;
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await process.outbox.enqueueControl(BOB, 'mark', x('jabber:client', 'message', { id: 'mark' }));
    await until(() => process.sent.length === 1);
    await until(async () => (await process.state('a'))?.waitingFor === reason);
    expect(process.ids()).toEqual(['mark']);
    process.sealing = 'works';
    process.outbox.kick(BOB);
    await until(() => process.sent.length === 3);
    expect(process.ids()).toEqual(['mark', 'a', 'b']);
  });

  it('for a list that cannot be had ends by itself', async () => {
    const process = await start();
    process.sealing = 'list-refused';
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.asked === 1);
    process.outbox.kick(BOB);
    await until(() => process.asked === 2);
    await until(async () => (await process.state('a'))?.waitingFor === 'devices');
    process.sealing = 'works';
    clock.advance(30_000);
    await until(() => process.sent.length === 1);
    expect(process.asked).toBe(2);
  });

  it('of one conversation does not hold back another', async () => {
    const process = await start();
    process.sealing = 'devices';
    process.outbox.onReady(false);
    await process.text('a');
    await until(async () => (await process.state('a'))?.waitingFor === 'devices');
    process.sealing = 'works';
    await process.outbox.enqueueText({ ...process.message('z'), conversation: 'carol@home' }, 'hi');
    await until(() => process.sent.length === 1);
    expect(process.ids()).toEqual(['z']);
  });
});

describe('an upload', () => {
  it('holds back the voice messages behind it, and no text', async () => {
    const process = await start();
    const finish: (() => void)[] = [];
    process.upload = () => new Promise((resolve) => finish.push(resolve));
    process.outbox.onReady(false);
    for (const id of ['t1', 'v1', 't2', 'v2', 't3']) {
      await (id.startsWith('v') ? process.voice(id) : process.text(id));
    }
    await until(() => process.sent.length === 3 && finish.length === 1);
    expect(process.ids()).toEqual(['t1', 't2', 't3']);
    finish[0]?.();
    await until(() => process.sent.length === 4 && finish.length === 2);
    finish[1]?.();
    await until(() => process.sent.length === 5);
    expect(process.ids()).toEqual(['t1', 't2', 't3', 'v1', 'v2']);
  });
});

describe('a server in trouble', () => {
  const trouble = () => Promise.reject(new StanzaError('remote-server-timeout', 'wait'));

  it('is asked again later and later, and what waits for it goes out in order', async () => {
    const process = await start();
    const seal = process.seal.bind(process);
    let tries = 0;
    process.seal = () => {
      tries += 1;
      return trouble();
    };
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await until(async () => (await process.state('a'))?.waitingFor === 'server');
    // Half of ten seconds, half of twenty: the tests' dice always fall on a half.
    clock.advance(4_999);
    expect(tries).toBe(1);
    clock.advance(1);
    await until(() => tries === 2);
    await until(async () => (await process.state('a'))?.waitingFor === 'server');
    await new Promise<void>((resolve) => setImmediate(resolve));
    process.seal = seal;
    await until(() => {
      clock.advance(1_000);
      return process.sent.length === 2;
    });
    expect(process.ids()).toEqual(['a', 'b']);
  });

  it('gets back what it could not take, as new and in its place', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.sent.length === 1);
    await process.outbox.onAcked(['a']);
    await process.outbox.onRefused((await process.store.db.getMessage('a')) as MessageRecord, 'quota', true);
    expect(await process.state('a')).toMatchObject({ state: 'waiting', waitingFor: 'server' });
    await process.text('b');
    expect(process.sent).toHaveLength(1);
    clock.advance(5_000);
    await until(() => process.sent.length === 3);
    expect(process.sealedBodies).toEqual(['body of a', 'body of a', 'body of b']);
    expect(process.ids()[1]).not.toBe('a');
    expect(process.ids()[2]).toBe('b');
  });

  it('is given up after some time', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    for (let count = 1; count <= 9; count += 1) {
      await until(() => {
        clock.advance(60_000);
        return process.sent.length === count;
      });
      const message = (await process.store.db.getMessage('a')) as MessageRecord;
      await process.outbox.onAcked([message.wireId ?? '']);
      await process.outbox.onRefused((await process.store.db.getMessage('a')) as MessageRecord, 'unreachable', true);
    }
    expect(await process.state('a')).toMatchObject({ state: 'failed', failure: 'unreachable' });
  });

  it('may have said so for good', async () => {
    const process = await start();
    process.seal = () => Promise.reject(new StanzaError('forbidden', 'auth'));
    process.outbox.onReady(false);
    await process.text('a');
    await until(async () => (await process.state('a'))?.state === 'failed');
    expect(await process.state('a')).toMatchObject({ failure: 'not-allowed' });
  });
});

describe('failing', () => {
  it('says why, and lets the next message go', async () => {
    const process = await start();
    process.upload = () => Promise.reject(new UploadError('too-large'));
    process.outbox.onReady(false);
    await process.voice('v');
    await process.text('t');
    await until(() => process.sent.length === 1);
    await until(async () => (await process.state('v'))?.state === 'failed');
    expect(await process.state('v')).toMatchObject({ failure: 'too-large' });
    expect(process.ids()).toEqual(['t']);
  });

  it('gets a new slot when the old one has expired', async () => {
    const process = await start();
    let calls = 0;
    process.upload = async () => {
      calls += 1;
      if (calls === 1) {
        clock.advance(120_000);
        throw new UploadError('refused', true);
      }
    };
    process.outbox.onReady(false);
    await process.voice('v');
    await until(() => process.sent.length === 1);
    expect(process.slotsGiven).toBe(2);
  });

  it('tries an upload again when only the network failed', async () => {
    const process = await start();
    let isDown = true;
    process.upload = async () => {
      if (isDown) {
        throw new UploadError(null);
      }
    };
    process.outbox.onReady(false);
    await process.voice('v');
    await until(async () => (await process.state('v'))?.waitingFor === 'connection');
    isDown = false;
    await until(() => {
      clock.advance(10_000);
      return process.sent.length === 1;
    });
  });

  it('survives a question that the connection swallowed', async () => {
    const process = await start();
    const seal = process.seal.bind(process);
    process.seal = () => Promise.reject(new OfflineError('session-lost'));
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.outbox.waitingCount.value === 1);
    process.seal = seal;
    await until(() => {
      process.outbox.kick();
      return process.sent.length === 1;
    });
  });

  it('an error that comes back shows at the message, and a retry is a new message', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await until(() => process.sent.length === 1);
    await process.outbox.onAcked(['a']);
    await process.outbox.onRefused((await process.store.db.getMessage('a')) as MessageRecord, 'unreachable');
    const failed = (await process.store.db.getMessage('a')) as MessageRecord;
    expect(failed).toMatchObject({ state: 'failed', failure: 'unreachable' });
    await process.outbox.retry(failed, { body: 'again' });
    await until(() => process.sent.length === 2);
    expect(process.ids()[1]).not.toBe('a');
    expect(await process.store.db.getMessage('a')).not.toHaveProperty('failure');
  });

  it('a message that waits can be taken back, one under way cannot', async () => {
    const process = await start();
    process.sealing = 'devices';
    process.outbox.onReady(false);
    await process.text('a');
    await until(async () => (await process.state('a'))?.waitingFor === 'devices');
    expect(await process.outbox.discard('a')).toBe(true);
    expect(await process.state('a')).toBeUndefined();
    expect(await process.store.db.outbox()).toEqual([]);
    process.sealing = 'works';
    await process.text('b');
    await until(() => process.sent.length === 1);
    expect(await process.outbox.discard('b')).toBe(false);
  });
});
