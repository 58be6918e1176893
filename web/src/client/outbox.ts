/**
 * Everything that has to reach the server, in its order, once. An entry moves through steps, and each step is stored
 * before the next begins: upload (voice only), body, sealed stanza, sent, acknowledged. After a crash it goes on where it
 * stood. A stanza is resent to the byte, so that the server recognises it by its origin-id.
 *
 * The order is that of composing, for each conversation, with one exception: a voice message that is being uploaded
 * holds back the voice messages behind it, but no texts. On a bad network an upload takes minutes, and what is typed
 * meanwhile ("Call me!") must not be late for it; the thread of either side shows the order in which they arrived.
 */

import { signal } from '@preact/signals';
import { StoreError, toAesGcmUrl } from '../e2ee';
import type { FailureCode } from '../model';
import { type DbWrite, removal } from './db';
import { isPassing, OfflineError, StanzaError, StoppedError } from './errors';
import { isTooLarge } from './limits';
import { cut, Discarded, failed, isVoice, thingOf, uploadBlobId, uploadOf } from './outbox-entries';
import { Pauses } from './pauses';
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
  readonly random: () => number;
  readonly retryAfter: (delayMs: number, task: () => void) => void;
  /** Takes errors that should not be, the storage's among them. */
  readonly report: (error: unknown) => void;
}

/** A slot that is refused sooner than this is refused for good; an older one has expired. */
const SLOT_PATIENCE_MS = 60_000;
/** When devices that could not be asked for are asked for again. */
const DEVICES_RETRY_MS = 30_000;
/** A server that has been in trouble for so many tries does not get over it: the person is told. */
const PASSING_TRIES = 8;
/** How many messages the outbox remembers, in case an error comes after the acknowledgement. */
const ACKED_LIMIT = 100;

type Waiting = NonNullable<MessageRecord['waitingFor']>;

export class Outbox {
  /** Messages, not markers, that the server does not have. */
  readonly waitingCount = signal(0);
  readonly #entries = new Map<number, OutboxRecord>();
  /** What went out over the present session; it is sent again only over a new one. */
  readonly #sent = new Set<number>();
  /** What waits for other devices or for a decision: nobody knows how long. */
  readonly #stuck = new Set<number>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  /** Conversations that are tried again after a while. */
  readonly #due = new Set<string>();
  readonly #uploading = new Map<number, AbortController>();
  /** Conversations with an upload under way. */
  readonly #uploads = new Set<string>();
  /** Messages that the server took, by their id. */
  readonly #acked = new Map<string, OutboxRecord>();
  readonly #pauses: Pauses;
  /** The message that stood first when the server last cut the stream off. */
  #suspect: string | null = null;
  /** The last message that is being stored. */
  #storing: Promise<void> = Promise.resolve();
  #nextSeq = 1;
  #isReady = false;

  constructor(private readonly parts: OutboxParts) {
    this.#pauses = new Pauses(parts.random, parts.retryAfter);
  }

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
    this.#pauses.endAll();
    this.kick();
  }

  async onOffline(): Promise<void> {
    this.#isReady = false;
    for (const entry of this.#entries.values()) {
      await this.#showWaiting(entry, 'connection');
    }
  }

  /**
   * The server ended the stream because of something that was sent. What it took before is acknowledged, or shows in the
   * archive, before anything is sent again: a message that stands first twice is the cause, and would be for ever.
   */
  async onCutOff(): Promise<void> {
    const [first] = this.#sent;
    const entry = first === undefined ? undefined : this.#entries.get(first);
    const isCause = entry !== undefined && entry.wireId === this.#suspect;
    this.#suspect = isCause ? null : (entry?.wireId ?? this.#suspect);
    if (isCause) {
      await this.#fail(entry, 'refused');
    }
  }

  /** The account is signed out or the page gives way to another: nothing more is done. */
  stop(): void {
    this.#isReady = false;
    for (const controller of this.#uploading.values()) {
      controller.abort();
    }
  }

  /** Tries again what waits, of one conversation or of all: what it waited for may be there. */
  kick(conversation?: string): void {
    const all = new Set([...this.#entries.values()].map((entry) => entry.conversation));
    for (const jid of conversation === undefined ? all : [conversation]) {
      if (all.has(jid)) {
        this.#pauses.end(jid);
        this.#pump(jid);
      }
    }
  }

  /** Tries a conversation again after a while; however often it is asked for, once. */
  #kickLater(conversation: string, delayMs: number): void {
    if (!this.#due.has(conversation)) {
      this.#due.add(conversation);
      this.parts.retryAfter(delayMs, () => {
        this.#due.delete(conversation);
        this.#pump(conversation);
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
   * @param at The server's time of it, if it is told; otherwise it counts as taken now.
   * @returns Whether it was one that waited.
   */
  async onArrived(wireId: string, stanzaId?: string, at?: number): Promise<boolean> {
    const entry = [...this.#entries.values()].find((other) => other.wireId === wireId);
    if (!entry) {
      return false;
    }
    this.#remember(entry);
    await this.#finish(entry, (record) => {
      const { waitingFor: _, ...rest } = record;
      const order = this.parts.store.nextOrder();
      // It stands where it arrived: the time of composing could put "yesterday" below "today".
      return { ...rest, order, state: 'sent', at: at ?? this.parts.now(), ...(stanzaId && { stanzaId }) };
    });
    return true;
  }

  /**
   * The stanza came back with an error.
   *
   * @param isPassing It may be taken later: it is sent again after a while, as a new one, in its place.
   */
  async onRefused(message: MessageRecord, failure: FailureCode, isPassing = false): Promise<void> {
    const entry = this.#of(message.id);
    const known = entry ?? this.#acked.get(message.id);
    if (isPassing && known?.body !== undefined && this.#pauses.failures(thingOf(known)) < PASSING_TRIES) {
      this.#sent.delete(known.seq);
      const { stanza: _, ...rest } = known;
      const again = { ...rest, wireId: crypto.randomUUID() };
      this.#rest(again, again.conversation);
      await this.#putBack(message, again, 'server');
    } else if (entry) {
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

  /** Sends a failed message again, as a new one: what failed may have been stored somewhere. */
  async retry(message: MessageRecord, work: { body?: string; upload?: PendingUpload }): Promise<void> {
    const existing = this.#of(message.id);
    if (existing) {
      this.kick(message.conversation);
      return;
    }
    const entry = this.#newEntry(message.conversation, message.id, crypto.randomUUID(), work);
    this.#pauses.forget(thingOf(entry));
    this.#pauses.end(entry.conversation);
    await this.#putBack(message, entry, 'connection');
  }

  async #putBack(message: MessageRecord, entry: OutboxRecord, waitingFor: Waiting): Promise<void> {
    const { store } = this.parts;
    const { wireId } = entry;
    const { failure: _, ...rest } = message;
    const order = store.waitingOrder();
    // The first id stays as origin: by it, a copy that is in the archive all the same is known to be this message.
    const waiting: MessageRecord = { ...rest, order, wireId, state: 'waiting', waitingFor };
    await store.update(message.id, () => waiting, [await store.db.sealOutbox(entry)]);
    this.#accept(entry);
  }

  async #enqueue(work: Partial<OutboxRecord>, message: MessageRecord, extra: readonly DbWrite[] = []): Promise<void> {
    const { store } = this.parts;
    const entry = this.#newEntry(message.conversation, message.id, message.wireId ?? message.id, work);
    // One that is stored sooner than the one before it must not be sent sooner.
    const stored = this.#storing.then(async () => {
      await store.add(message, message.order, [await store.db.sealOutbox(entry), ...extra]);
      this.#accept(entry);
    });
    this.#storing = stored.catch(() => undefined);
    await stored;
  }

  #newEntry(conversation: string, messageId: string | null, wireId: string, work: Partial<OutboxRecord>): OutboxRecord {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return { ...work, seq, conversation, messageId, wireId };
  }

  #accept(entry: OutboxRecord): void {
    this.#entries.set(entry.seq, entry);
    this.#count();
    this.#pump(entry.conversation);
  }

  #pump(jid: string): void {
    if (this.#running.has(jid)) {
      this.#again.add(jid);
      return;
    }
    const run = this.parts.tasks
      .run(() => this.#drain(jid))
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#running.delete(jid);
        if (this.#again.delete(jid)) {
          this.#pump(jid);
        }
      });
    this.#running.set(jid, run);
  }

  /** Sends what can be sent of a conversation; a message that cannot holds back the messages behind it. */
  async #drain(jid: string): Promise<void> {
    let isHeld = this.#pauses.has(jid);
    let isStuck = false;
    let isUploading = false;
    for (const { seq, messageId } of this.#queueOf(jid)) {
      const entry = this.#entries.get(seq);
      if (!entry || this.#sent.has(seq) || (isHeld && messageId !== null) || (isUploading && isVoice(entry))) {
        if (isStuck && entry) {
          await this.#settle(entry);
        }
        continue;
      }
      if (!this.#isReady || !this.parts.link.isOpen) {
        return;
      }
      if (entry.upload) {
        isUploading = true;
        this.#startUpload(entry);
        continue;
      }
      const stanza = await this.#prepare(entry);
      if (stanza !== null) {
        this.#send(seq, stanza);
      }
      isHeld ||= this.#entries.has(seq) && !this.#sent.has(seq);
      isStuck ||= isHeld && this.#stuck.has(seq);
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
    if (entry.stanza !== undefined && !isTooLarge(entry.stanza)) {
      return entry.stanza;
    }
    try {
      this.#measure(entry.stanza);
      return await this.#seal(entry);
    } catch (error) {
      return this.#explain(entry, error);
    }
  }

  /** What the server would not take is never sent: it would end the stream, and again with every resend. */
  #measure(stanza: string | undefined): void {
    if (stanza !== undefined && isTooLarge(stanza)) {
      throw new UploadError('too-large');
    }
  }

  async #seal(entry: OutboxRecord): Promise<string | null> {
    const { store, sealing } = this.parts;
    const outcome = await sealing.seal(entry.conversation, entry.wireId, entry.body ?? '', async (stanza) => {
      this.#check(entry);
      this.#measure(stanza);
      return [await store.db.sealOutbox({ ...entry, stanza })];
    });
    if (outcome.kind === 'wait') {
      if (outcome.isPassing) {
        this.#kickLater(entry.conversation, DEVICES_RETRY_MS);
      }
      this.#stuck.add(entry.seq);
      await this.#showWaiting(entry, outcome.for);
      await this.#settle(entry);
      return null;
    }
    this.#stuck.delete(entry.seq);
    await this.#moved({ ...entry, stanza: outcome.stanza });
    await this.#showSending(entry);
    return outcome.stanza;
  }

  /** One upload at a time in a conversation, beside what is sent meanwhile. */
  #startUpload(entry: OutboxRecord): void {
    const { conversation } = entry;
    if (this.#uploads.has(conversation) || this.#pauses.has(uploadOf(conversation))) {
      return;
    }
    this.#uploads.add(conversation);
    this.parts.tasks
      .run(() => this.#upload(entry).catch((error: unknown) => this.#explain(entry, error)))
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#uploads.delete(conversation);
        this.#pump(conversation);
      });
  }

  async #upload(entry: OutboxRecord): Promise<void> {
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
      this.#rest(current);
      await this.#showWaiting(current, 'connection');
    } else if (error instanceof StanzaError) {
      const isOver = !isPassing(error) || this.#pauses.failures(thingOf(current)) >= PASSING_TRIES;
      this.#rest(current);
      await (isOver ? this.#fail(current, failureOf(error.condition)) : this.#showWaiting(current, 'server'));
    } else if (error instanceof StoreError) {
      // Nothing is lost, and nothing can be written about it either.
      this.#rest(current);
      this.parts.report(error);
    } else {
      this.parts.report(error);
      await this.#fail(current, 'server-error');
    }
    return null;
  }

  /** Lets a conversation rest, or only its uploads, because of a message that could not go on just now. */
  #rest(entry: OutboxRecord, key = entry.upload ? uploadOf(entry.conversation) : entry.conversation): void {
    this.#pauses.begin(key, thingOf(entry), () => this.#pump(entry.conversation));
  }

  #remember(entry: OutboxRecord): void {
    if (entry.messageId !== null && entry.body !== undefined) {
      this.#acked.set(entry.messageId, entry);
      const [oldest] = this.#acked.keys();
      if (this.#acked.size > ACKED_LIMIT && oldest !== undefined) {
        this.#acked.delete(oldest);
      }
    }
  }

  async #fail(entry: OutboxRecord, failure: FailureCode): Promise<void> {
    // What stands behind it goes on.
    this.#pauses.end(entry.upload ? uploadOf(entry.conversation) : entry.conversation);
    this.#pauses.forget(thingOf(entry));
    await this.#finish(entry, (record) => ({
      ...failed(record, failure),
      order: this.parts.store.settledOrder(record),
    }));
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
    this.#stuck.delete(entry.seq);
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

  /** It will not go soon: what comes stands below it from now on. */
  async #settle(entry: OutboxRecord): Promise<void> {
    if (entry.messageId !== null) {
      await this.parts.store.update(entry.messageId, (record) => {
        const order = this.parts.store.settledOrder(record);
        return order === record.order ? null : { ...record, order };
      });
    }
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
