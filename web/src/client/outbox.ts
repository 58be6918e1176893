/**
 * Everything that has to reach the server, in its order, once. An entry moves through steps, and each step is stored
 * before the next begins: upload (voice only), body, sealed stanza, sent, acknowledged. After a crash it goes on where it
 * stood. A stanza is resent to the byte, so that the server recognises it by its origin-id.
 */

import { signal } from '@preact/signals';
import { toAesGcmUrl } from '../e2ee';
import type { FailureCode } from '../model';
import { type DbWrite, removal } from './db';
import { OfflineError, StanzaError, StoppedError } from './errors';
import type { MessageRecord, OutboxRecord, PendingUpload, UploadSlot } from './records';
import type { SealOutcome } from './sealing';
import { secretOf } from './secrets';
import { failureOf } from './stanzas';
import type { Store } from './store';
import type { TaskGroup } from './tasks';
import { UploadError, type Uploader } from './uploads';
import { serialize, type XmlNode } from './xml';

export interface OutboxParts {
  readonly store: Store;
  readonly link: { readonly isOpen: boolean; send(stanza: string): void };
  readonly sealing: {
    seal(
      jid: string,
      wireId: string,
      body: string,
      commit: (stanza: string) => Promise<readonly DbWrite[]>,
    ): Promise<SealOutcome>;
  };
  readonly slots: { request(fileName: string, sizeBytes: number): Promise<UploadSlot> };
  readonly upload: Uploader;
  /** All sending belongs to it. */
  readonly tasks: TaskGroup;
  readonly now: () => number;
  readonly retryAfter: (delayMs: number, task: () => void) => void;
  /** Takes errors that should not be, the storage's among them. */
  readonly report: (error: unknown) => void;
}

/** A slot that is refused sooner than this is refused for good; an older one has expired. */
const SLOT_PATIENCE_MS = 60_000;
const UPLOAD_RETRY_MS = 10_000;
/** When devices that could not be asked for are asked for again. */
const DEVICES_RETRY_MS = 30_000;

type Waiting = NonNullable<MessageRecord['waitingFor']>;

export class Outbox {
  /** Messages, not markers, that the server does not have. */
  readonly waitingCount = signal(0);
  readonly #entries = new Map<number, OutboxRecord>();
  /** What went out over the present session; it is sent again only over a new one. */
  readonly #sent = new Set<number>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  /** Conversations that are tried again after a while. */
  readonly #due = new Set<string>();
  readonly #uploading = new Map<number, AbortController>();
  #nextSeq = 1;
  #isReady = false;

  constructor(private readonly parts: OutboxParts) {}

  /** Reads what was left over from before. */
  async load(): Promise<void> {
    for (const entry of (await this.parts.store.db.outbox()).sort((a, b) => a.seq - b.seq)) {
      this.#entries.set(entry.seq, entry);
      this.#nextSeq = entry.seq + 1;
      await this.#showWaiting(entry, 'connection');
    }
    this.#count();
  }

  /** Puts a message into the outbox together with what shows it. */
  async enqueueText(message: MessageRecord, body: string): Promise<void> {
    await this.#enqueue({ body }, message);
  }

  /** @param blobs Writes of the recording and of its ciphertext. */
  async enqueueVoice(message: MessageRecord, upload: PendingUpload, blobs: readonly DbWrite[]): Promise<void> {
    await this.#enqueue({ upload }, message, blobs);
  }

  /** Something that is not shown: a marker. It outlives a reload, as messages do. */
  async enqueueControl(conversation: string, wireId: string, stanza: XmlNode): Promise<void> {
    const entry = this.#newEntry(conversation, null, wireId, { stanza: serialize(stanza) });
    await this.parts.store.db.write([await this.parts.store.db.sealOutbox(entry)]);
    this.#accept(entry);
  }

  /**
   * A connection stands, and what the archive told is known.
   *
   * @param isResumed The session goes on: what was sent over it will arrive.
   */
  onReady(isResumed: boolean): void {
    if (!isResumed) {
      this.#sent.clear();
    }
    this.#isReady = true;
    this.kick();
  }

  async onOffline(): Promise<void> {
    this.#isReady = false;
    for (const entry of this.#entries.values()) {
      await this.#showWaiting(entry, 'connection');
    }
  }

  /** The account is signed out or the page gives way to another: nothing more is done. */
  stop(): void {
    this.#isReady = false;
    for (const controller of this.#uploading.values()) {
      controller.abort();
    }
  }

  /** Tries again what waits, of one conversation or of all. */
  kick(conversation?: string): void {
    const all = new Set([...this.#entries.values()].map((entry) => entry.conversation));
    for (const jid of conversation === undefined ? all : [conversation]) {
      if (all.has(jid) && !this.parts.tasks.isStopped) {
        void this.#pump(jid);
      }
    }
  }

  /** Tries a conversation again after a while; however often it is asked for, once. */
  #kickLater(conversation: string, delayMs: number): void {
    if (!this.#due.has(conversation)) {
      this.#due.add(conversation);
      this.parts.retryAfter(delayMs, () => {
        this.#due.delete(conversation);
        this.kick(conversation);
      });
    }
  }

  /** The server has taken these stanzas. */
  async onAcked(wireIds: readonly string[]): Promise<void> {
    for (const wireId of wireIds) {
      await this.onArrived(wireId);
    }
  }

  /**
   * A stanza of ours is known to be on the server.
   *
   * @param stanzaId Its place in the archive, where that is how it is known.
   * @returns Whether it was one that waited.
   */
  async onArrived(wireId: string, stanzaId?: string, at?: number): Promise<boolean> {
    const entry = [...this.#entries.values()].find((other) => other.wireId === wireId);
    if (!entry) {
      return false;
    }
    await this.#finish(entry, (record) => {
      const { waitingFor: _, ...rest } = record;
      const order = this.parts.store.nextOrder();
      return { ...rest, order, state: 'sent', ...(stanzaId && { stanzaId }), ...(at !== undefined && { at }) };
    });
    return true;
  }

  /** The stanza came back with an error. */
  async onRefused(message: MessageRecord, failure: FailureCode): Promise<void> {
    const entry = [...this.#entries.values()].find((other) => other.messageId === message.id);
    if (entry) {
      await this.#fail(entry, failure);
    } else {
      await this.parts.store.update(message.id, (record) => failed(record, failure));
    }
  }

  /** Takes a waiting or failed message out. False when it is on its way already. */
  async discard(messageId: string): Promise<boolean> {
    const entry = this.#of(messageId);
    if (entry && this.#sent.has(entry.seq)) {
      return false;
    }
    await this.parts.store.remove(messageId, entry ? this.#removals(entry) : []);
    if (entry) {
      this.#forget(entry);
    }
    return true;
  }

  /**
   * Sends a failed message again, as a new one: what failed may have been stored somewhere.
   *
   */
  async retry(message: MessageRecord, work: { body?: string; upload?: PendingUpload }): Promise<void> {
    const existing = this.#of(message.id);
    if (existing) {
      this.kick(message.conversation);
      return;
    }
    const wireId = crypto.randomUUID();
    const entry = this.#newEntry(message.conversation, message.id, wireId, work);
    const { failure: _, ...rest } = message;
    const order = this.parts.store.waitingOrder();
    await this.parts.store.update(
      message.id,
      () => ({ ...rest, order, wireId, originId: wireId, state: 'waiting', waitingFor: 'connection' }),
      [await this.parts.store.db.sealOutbox(entry)],
    );
    this.#accept(entry);
  }

  async #enqueue(work: Partial<OutboxRecord>, message: MessageRecord, extra: readonly DbWrite[] = []): Promise<void> {
    const { store } = this.parts;
    const entry = this.#newEntry(message.conversation, message.id, message.wireId ?? message.id, work);
    await store.add(message, message.order, [await store.db.sealOutbox(entry), ...extra]);
    this.#accept(entry);
  }

  #newEntry(conversation: string, messageId: string | null, wireId: string, work: Partial<OutboxRecord>): OutboxRecord {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return { ...work, seq, conversation, messageId, wireId };
  }

  #accept(entry: OutboxRecord): void {
    this.#entries.set(entry.seq, entry);
    this.#count();
    this.kick(entry.conversation);
  }

  #pump(jid: string): Promise<void> {
    const running = this.#running.get(jid);
    if (running) {
      this.#again.add(jid);
      return running;
    }
    const run = this.parts.tasks
      .run(() => this.#drain(jid))
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#running.delete(jid);
        if (this.#again.delete(jid)) {
          void this.#pump(jid);
        }
      });
    this.#running.set(jid, run);
    return run;
  }

  /** Sends what can be sent of a conversation; a message that cannot holds back the messages behind it. */
  async #drain(jid: string): Promise<void> {
    let isHeld = false;
    for (const { seq, messageId } of this.#queueOf(jid)) {
      const entry = this.#entries.get(seq);
      if (!entry || this.#sent.has(seq) || (isHeld && messageId !== null)) {
        continue;
      }
      if (!this.#isReady || !this.parts.link.isOpen) {
        return;
      }
      const stanza = await this.#prepare(entry);
      if (stanza !== null) {
        this.#send(seq, stanza);
      }
      isHeld ||= this.#entries.has(seq) && !this.#sent.has(seq);
    }
  }

  #send(seq: number, stanza: string): void {
    // It may have been discarded, or the connection lost, while it was prepared.
    if (!this.#entries.has(seq) || !this.#isReady || !this.parts.link.isOpen) {
      return;
    }
    this.#sent.add(seq);
    this.parts.link.send(stanza);
  }

  /** Brings an entry to the point where it can be sent. Null when it has to wait, or has failed. */
  async #prepare(entry: OutboxRecord): Promise<string | null> {
    if (entry.stanza !== undefined) {
      return entry.stanza;
    }
    try {
      const uploaded = entry.body === undefined ? await this.#upload(entry) : entry;
      return await this.#seal(uploaded);
    } catch (error) {
      return this.#explain(entry, error);
    }
  }

  async #seal(entry: OutboxRecord): Promise<string | null> {
    const { store, sealing } = this.parts;
    const outcome = await sealing.seal(entry.conversation, entry.wireId, entry.body ?? '', async (stanza) => {
      this.#check(entry);
      return [await store.db.sealOutbox({ ...entry, stanza })];
    });
    if (outcome.kind === 'wait') {
      if (outcome.isPassing) {
        this.#kickLater(entry.conversation, DEVICES_RETRY_MS);
      }
      await this.#showWaiting(entry, outcome.for);
      return null;
    }
    await this.#moved({ ...entry, stanza: outcome.stanza });
    await this.#showSending(entry);
    return outcome.stanza;
  }

  async #upload(entry: OutboxRecord): Promise<OutboxRecord> {
    const { store, upload: uploader } = this.parts;
    const bytes = await store.db.getBlob(uploadBlobId(entry));
    const message = entry.messageId === null ? undefined : await store.db.getMessage(entry.messageId);
    const { upload } = entry;
    if (!bytes || !message || !upload || message.content.kind !== 'voice') {
      throw new UploadError('storage-full');
    }
    await this.#showWaiting(entry, 'upload');
    const withSlot = await this.#withSlot(entry, upload);
    const controller = new AbortController();
    this.#uploading.set(entry.seq, controller);
    store.setProgress(message, 0);
    try {
      const onProgress = (fraction: number) => store.setProgress(message, fraction);
      await cut(uploader(withSlot.slot, new Blob([bytes]), onProgress, controller.signal), controller.signal);
    } finally {
      this.#uploading.delete(entry.seq);
      store.setProgress(message, undefined);
    }
    this.#check(entry);
    const url = toAesGcmUrl(withSlot.slot.get, secretOf(upload.fragment));
    const { upload: _, ...rest } = entry;
    const uploaded: OutboxRecord = { ...rest, body: url };
    await store.update(
      message.id,
      (record) => (record.content.kind === 'voice' ? { ...record, content: { ...record.content, url } } : null),
      [await store.db.sealOutbox(uploaded), removal('blobs', uploadBlobId(entry))],
    );
    await this.#moved(uploaded);
    return uploaded;
  }

  async #withSlot(entry: OutboxRecord, upload: PendingUpload): Promise<{ slot: UploadSlot }> {
    const { store, slots } = this.parts;
    if (upload.slot) {
      return { slot: upload.slot };
    }
    const slot = await slots.request(upload.fileName, upload.sizeBytes);
    const after: OutboxRecord = { ...entry, upload: { ...upload, slot } };
    this.#check(entry);
    await store.db.write([await store.db.sealOutbox(after)]);
    await this.#moved(after);
    return { slot };
  }

  #report(error: unknown): void {
    if (!(error instanceof StoppedError)) {
      this.parts.report(error);
    }
  }

  /** Stops working on what was discarded meanwhile. */
  #check(entry: OutboxRecord): void {
    if (!this.#entries.has(entry.seq)) {
      throw new Discarded();
    }
  }

  /** An entry's next step is stored. If it was discarded in that moment, it goes again. */
  async #moved(entry: OutboxRecord): Promise<void> {
    if (this.#entries.has(entry.seq)) {
      this.#entries.set(entry.seq, entry);
    } else {
      await this.parts.store.db.write(this.#removals(entry));
      throw new Discarded();
    }
  }

  async #explain(entry: OutboxRecord, error: unknown): Promise<null> {
    const current = this.#entries.get(entry.seq);
    if (!current || this.parts.tasks.isStopped) {
      return null;
    }
    const slotAt = current.upload?.slot?.at ?? Number.POSITIVE_INFINITY;
    if (error instanceof UploadError && error.isSlotSpent && this.parts.now() - slotAt > SLOT_PATIENCE_MS) {
      const { slot: _, ...upload } = current.upload as PendingUpload;
      this.#entries.set(entry.seq, { ...current, upload });
      this.#again.add(entry.conversation);
    } else if (error instanceof UploadError && error.failure) {
      await this.#fail(current, error.failure);
    } else if (error instanceof UploadError || error instanceof OfflineError) {
      await this.#showWaiting(current, 'connection');
      this.#kickLater(entry.conversation, UPLOAD_RETRY_MS);
    } else if (error instanceof StanzaError) {
      await this.#fail(current, failureOf(error.condition));
    } else {
      this.parts.report(error);
      await this.#fail(current, 'server-error');
    }
    return null;
  }

  async #fail(entry: OutboxRecord, failure: FailureCode): Promise<void> {
    await this.#finish(entry, (record) => failed(record, failure));
  }

  async #finish(entry: OutboxRecord, change: (record: MessageRecord) => MessageRecord): Promise<void> {
    const { store } = this.parts;
    this.#forget(entry);
    const removals = this.#removals(entry);
    const changed = entry.messageId === null ? null : await store.update(entry.messageId, change, removals);
    if (!changed) {
      await store.db.write(removals);
    }
  }

  #removals(entry: OutboxRecord): DbWrite[] {
    return [removal('outbox', entry.seq), removal('blobs', uploadBlobId(entry))];
  }

  #forget(entry: OutboxRecord): void {
    this.#uploading.get(entry.seq)?.abort();
    this.#entries.delete(entry.seq);
    this.#sent.delete(entry.seq);
    this.#count();
  }

  async #showWaiting(entry: OutboxRecord, waitingFor: Waiting): Promise<void> {
    await this.#showState(entry, { state: 'waiting', waitingFor });
  }

  async #showSending(entry: OutboxRecord): Promise<void> {
    await this.#showState(entry, { state: 'sending' });
  }

  async #showState(
    entry: OutboxRecord,
    shown: { readonly state: 'waiting' | 'sending'; readonly waitingFor?: Waiting },
  ): Promise<void> {
    if (entry.messageId === null) {
      return;
    }
    await this.parts.store.update(entry.messageId, ({ waitingFor, ...record }) => {
      const isOver = record.state !== 'waiting' && record.state !== 'sending';
      const isSame = record.state === shown.state && waitingFor === shown.waitingFor;
      return isOver || isSame || !this.#entries.has(entry.seq) ? null : { ...record, ...shown };
    });
  }

  #of(messageId: string): OutboxRecord | undefined {
    return [...this.#entries.values()].find((entry) => entry.messageId === messageId);
  }

  #queueOf(jid: string): OutboxRecord[] {
    return [...this.#entries.values()].filter((entry) => entry.conversation === jid).sort((a, b) => a.seq - b.seq);
  }

  #count(): void {
    this.waitingCount.value = [...this.#entries.values()].filter((entry) => entry.messageId !== null).length;
  }
}

/** Where the ciphertext of a recording is kept until it is uploaded. */
export function uploadBlobId(entry: { readonly messageId: string | null }): string {
  return `upload/${entry.messageId}`;
}

class Discarded extends Error {}

/** Ends the wait for an upload when it is called off, whatever the upload waits for itself. */
function cut(upload: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new UploadError(null)));
    upload.then(resolve, reject);
  });
}

function failed(record: MessageRecord, failure: FailureCode): MessageRecord {
  const { waitingFor: _, ...rest } = record;
  return { ...rest, state: 'failed', failure };
}
