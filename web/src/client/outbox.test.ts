import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encryptFile } from '../e2ee';
import { ManualClock } from './clock';
import { ClientDb, type DbWrite } from './db';
import { OfflineError, StanzaError } from './errors';
import { Outbox } from './outbox';
import { uploadBlobId } from './outbox-entries';
import type { MessageRecord, OutboxRecord, UploadSlot } from './records';
import type { SealOutcome } from './sealing';
import { fragmentOf } from './secrets';
import { Store } from './store';
import { TaskGroup } from './tasks';
import { messageRecord } from './testing/records';
import { UploadError } from './uploads';
import { x } from './xml';

const BOB = 'bob@home';
const SLOT: UploadSlot = { put: 'http://home/put', get: 'http://home/get.ogg', headers: {}, at: 0 };

/** The process: what a crash takes with it. The database stays. */
class Process {
  readonly sent: string[] = [];
  readonly sealedBodies: string[] = [];
  readonly link = { isOpen: true, send: (stanza: string) => void this.sent.push(stanza) };
  sealing: 'works' | 'devices' | 'trust' | 'list-refused' | 'crash-before-commit' | 'crash-after-commit' = 'works';
  upload: (slot: UploadSlot) => Promise<void> = async () => undefined;
  slotsGiven = 0;
  sealedBytes = 0;
  /** How often devices were asked for in vain. */
  asked = 0;
  isOver = false;

  private constructor(
    readonly store: Store,
    readonly outbox: Outbox,
  ) {}

  static async start(name: string, clock: ManualClock): Promise<Process> {
    const db = await ClientDb.open(name);
    const store = await Store.load(db, clock);
    const self: { process?: Process } = {};
    const its = () => self.process as Process;
    const outbox = new Outbox({
      store,
      link: {
        get isOpen() {
          return its().link.isOpen;
        },
        send: (stanza) => its().link.send(stanza),
      },
      sealing: { seal: (_jid, wireId, body, commit) => its().seal(wireId, body, commit) },
      slots: {
        request: async () => {
          its().slotsGiven += 1;
          return { ...SLOT, at: clock.now() };
        },
      },
      upload: (slot) => its().upload(slot),
      tasks: new TaskGroup(),
      now: () => clock.now(),
      random: () => 0.5,
      retryAfter: (delayMs, task) => void clock.after(delayMs, task),
      report: (error) => its().isOver || failures.push(error),
    });
    self.process = new Process(store, outbox);
    await outbox.load();
    return self.process;
  }

  async seal(
    wireId: string,
    body: string,
    commit: (stanza: string) => Promise<readonly DbWrite[]>,
  ): Promise<SealOutcome> {
    if (this.sealing === 'devices' || this.sealing === 'trust') {
      return { kind: 'wait', for: this.sealing };
    }
    if (this.sealing === 'list-refused') {
      this.asked += 1;
      return { kind: 'wait', for: 'devices', isPassing: true };
    }
    if (this.sealing === 'crash-before-commit') {
      return new Promise(() => undefined);
    }
    this.sealedBodies.push(body);
    const stanza = `<message id="${wireId}" sealed="${crypto.randomUUID()}">${'x'.repeat(this.sealedBytes)}</message>`;
    await this.store.db.write(await commit(stanza));
    return this.sealing === 'crash-after-commit' ? new Promise(() => undefined) : { kind: 'sealed', stanza };
  }

  message(id: string): MessageRecord {
    const order = this.store.waitingOrder();
    return messageRecord({ id, order, isOwn: true, state: 'waiting', waitingFor: 'connection' });
  }

  async text(id: string): Promise<void> {
    await this.outbox.enqueueText(this.message(id), `body of ${id}`);
  }

  async voice(id: string): Promise<void> {
    const { ciphertext, secret } = await encryptFile(new Uint8Array([1, 2, 3]));
    const content = {
      kind: 'voice',
      url: '',
      mediaType: 'audio/ogg',
      sizeBytes: 3,
      durationMs: 1000,
      waveform: [],
      isHeard: false,
      positionMs: 0,
    } as const;
    const upload = { fileName: 'f.ogg', fragment: fragmentOf(secret), sizeBytes: ciphertext.length };
    await this.outbox.enqueueVoice({ ...this.message(id), content }, upload, [
      await this.store.db.sealBlob(uploadBlobId({ messageId: id }), ciphertext),
    ]);
  }

  state(id: string): Promise<Pick<MessageRecord, 'state' | 'waitingFor' | 'failure'> | undefined> {
    return this.store.db.getMessage(id);
  }

  ids(): string[] {
    return this.sent.map((stanza) => /id="([^"]+)"/.exec(stanza)?.[1] ?? '');
  }
}

let name: string;
let clock: ManualClock;
let running: Process[];
/** Errors that nobody expected. */
let failures: unknown[];

async function start(): Promise<Process> {
  const process = await Process.start(name, clock);
  running.push(process);
  return process;
}

/** Ends the process without a word and starts another on the same database. */
async function crash(process: Process): Promise<Process> {
  process.link.send = () => undefined;
  process.isOver = true;
  process.store.db.close();
  return start();
}

/** Waits until a condition holds; storage works in its own time. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (performance.now() < end) {
    if (await condition()) {
      return;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to that');
}

beforeEach(() => {
  name = `test-${crypto.randomUUID()}`;
  clock = new ManualClock();
  running = [];
  failures = [];
});

afterEach(() => {
  for (const process of running) {
    process.isOver = true;
    process.store.db.close();
  }
  expect(failures).toEqual([]);
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

describe('what the server does not take', () => {
  it('is never sent when it is too large, and holds nothing back', async () => {
    const process = await start();
    process.outbox.onReady(false);
    process.sealedBytes = 256 * 1024;
    await process.text('a');
    await until(async () => (await process.state('a'))?.state === 'failed');
    expect(await process.state('a')).toMatchObject({ failure: 'too-large' });
    expect(await process.store.db.outbox()).toEqual([]);
    process.sealedBytes = 0;
    await process.text('b');
    await until(() => process.sent.length === 1);
    expect(process.ids()).toEqual(['b']);
    expect(await process.outbox.discard('a')).toBe(true);
  });

  it('is not sent when it was sealed before, either', async () => {
    const process = await start();
    await process.text('a');
    const [entry] = await process.store.db.outbox();
    const stanza = `<message>${'ü'.repeat(128 * 1024)}</message>`;
    await process.store.db.write([await process.store.db.sealOutbox({ ...(entry as OutboxRecord), stanza })]);
    const next = await crash(process);
    next.outbox.onReady(false);
    await until(async () => (await next.state('a'))?.state === 'failed');
    expect(next.sent).toEqual([]);
  });

  it('is given up when the stream ends twice with the same message at the front', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await until(() => process.sent.length === 2);
    await process.outbox.onCutOff();
    await process.outbox.onArrived('a', 'archive-1');
    for (let round = 0; round < 2; round += 1) {
      expect(await process.state('b')).toMatchObject({ state: 'sending' });
      process.outbox.onReady(false);
      await until(() => process.sent.length === 3 + round);
      await process.outbox.onCutOff();
    }
    expect(await process.state('b')).toMatchObject({ state: 'failed', failure: 'refused' });
    process.outbox.onReady(false);
    expect(process.sent).toHaveLength(4);
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
