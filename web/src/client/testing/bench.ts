import { encryptFile } from '../../e2ee';
import { ManualClock } from '../clock';
import { ClientDb, type DbWrite } from '../db';
import { Outbox } from '../outbox';
import { uploadBlobId } from '../outbox-entries';
import type { MessageRecord, UploadSlot } from '../records';
import type { SealOutcome } from '../sealing';
import { fragmentOf } from '../secrets';
import { Store } from '../store';
import { TaskGroup } from '../tasks';
import { messageRecord } from './records';

export const BOB = 'bob@home';
export const SLOT: UploadSlot = { put: 'http://home/put', get: 'http://home/get.ogg', headers: {}, at: 0 };

/** The process around an outbox: what a crash takes with it. The database stays. */
export class Process {
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

  static async start(name: string, clock: ManualClock, failures: unknown[]): Promise<Process> {
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

/** One database, and the processes that work on it one after the other. */
export class Bench {
  readonly clock = new ManualClock();
  /** Errors that nobody expected. */
  readonly failures: unknown[] = [];
  readonly #name = `test-${crypto.randomUUID()}`;
  readonly #running: Process[] = [];

  async start(): Promise<Process> {
    const process = await Process.start(this.#name, this.clock, this.failures);
    this.#running.push(process);
    return process;
  }

  /** Ends the process without a word and starts another on the same database. */
  async crash(process: Process): Promise<Process> {
    process.link.send = () => undefined;
    process.isOver = true;
    process.store.db.close();
    return this.start();
  }

  close(): void {
    for (const process of this.#running) {
      process.isOver = true;
      process.store.db.close();
    }
  }
}

/** Waits until a condition holds; storage works in its own time. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (performance.now() < end) {
    if (await condition()) {
      return;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to that');
}
