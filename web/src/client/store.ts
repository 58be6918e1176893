/** Conversations and messages: in the database for good, and as signals for the screens. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Confidentiality, Content, Message } from '../model';
import type { Clock } from './clock';
import { type ClientDb, type DbWrite, removal, WAITING_ORDER } from './db';
import type { ConversationRecord, MessageRecord } from './records';
import { ThreadModel } from './thread';

/** What the list of conversations shows of one, without what presence and the roster add. */
export interface Summary {
  readonly jid: string;
  readonly confidentiality: Confidentiality;
  readonly draft: string;
  readonly isPlainFromThem: boolean;
  readonly unread: number;
  readonly lastMessage?: Message;
}

/** A message that is to be stored: everything but its place. */
export type NewMessage = Omit<MessageRecord, 'order'>;

/** Writes that belong into a transaction of somebody else's; `apply` shows them once they are durable. */
export interface Planned {
  readonly record: MessageRecord;
  readonly writes: readonly DbWrite[];
  apply(): void;
}

const DRAFT_DELAY_MS = 250;
/** How far back (messages) the one is looked for that the list of conversations shows. */
const PREVIEW_DEPTH = 20;

export class Store {
  readonly #summaries: Signal<ReadonlyMap<string, Summary>> = signal(new Map());
  readonly #records = new Map<string, ConversationRecord>();
  readonly #threads = new Map<string, ThreadModel>();
  readonly #progress = new Map<string, number>();
  readonly #dirtyDrafts = new Set<string>();
  /** Conversations with a draft that is not written yet, sealed for when the page goes all of a sudden. */
  readonly #readyDrafts = new Map<string, { readonly record: ConversationRecord; readonly write: DbWrite }>();
  /** How many texts of a conversation are on their way into the outbox. */
  readonly #sending = new Map<string, number>();
  /** The last message of each conversation, notes aside. */
  readonly #newest = new Map<string, MessageRecord>();
  #lowest = 0;
  #highest = 0;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly db: ClientDb,
    private readonly clock: Clock,
  ) {}

  static async load(db: ClientDb, clock: Clock): Promise<Store> {
    const store = new Store(db, clock);
    const bounds = await db.orderBounds();
    store.#lowest = bounds.lowest;
    store.#highest = bounds.highest;
    store.#waiting = clock.now();
    const summaries = await Promise.all((await db.conversations()).map((record) => store.#summarize(record)));
    store.#summaries.value = new Map(summaries.map((summary) => [summary.jid, summary]));
    return store;
  }

  get summaries(): ReadonlySignal<ReadonlyMap<string, Summary>> {
    return this.#summaries;
  }

  conversation(jid: string): ConversationRecord {
    return this.#records.get(jid) ?? { jid, confidentiality: 'sealed', draft: '', isComplete: false };
  }

  thread(jid: string): ThreadModel {
    const open = this.#threads.get(jid) ?? new ThreadModel(jid, this.db, (record) => this.view(record));
    this.#threads.set(jid, open);
    return open;
  }

  /** Order for a message that just came in, behind all others. */
  nextOrder(): number {
    this.#highest += 1;
    return this.#highest;
  }

  /** Orders for `count` messages in front of all others: the first of them. */
  reserveOlder(count: number): number {
    this.#lowest -= count;
    return this.#lowest;
  }

  /** Order for an own message that the server does not have yet. */
  waitingOrder(): number {
    this.#waiting += 1;
    return WAITING_ORDER + this.#waiting;
  }

  /** Order for a message that will not go soon, if ever: one that waits behind all others gets its place now. */
  settledOrder({ order }: MessageRecord): number {
    return order < WAITING_ORDER ? order : this.nextOrder();
  }

  /** Prepares a message for storing in a transaction with other things. */
  async planAdd(message: NewMessage, order: number): Promise<Planned> {
    const record: MessageRecord = { ...message, order };
    const writes = [await this.db.sealMessage(record)];
    const isNewConversation = !this.#records.has(record.conversation);
    const conversation = this.conversation(record.conversation);
    if (isNewConversation) {
      writes.push(await this.db.sealConversation(conversation));
    }
    return {
      record,
      writes,
      apply: () => {
        this.#records.set(conversation.jid, this.conversation(conversation.jid));
        this.#show(undefined, record);
      },
    };
  }

  async add(message: NewMessage, order: number, extra: readonly DbWrite[] = []): Promise<MessageRecord> {
    const planned = await this.planAdd(message, order);
    await this.db.write([...planned.writes, ...(await this.#planSpentDraft(planned.record)), ...extra]);
    planned.apply();
    return planned.record;
  }

  /**
   * Changes a message; changes to messages never overlap.
   *
   * @param change Returns the new record, or null to leave it.
   * @param extra Other writes for the same transaction; made only if there is a change.
   */
  update(
    id: string,
    change: (record: MessageRecord) => MessageRecord | null,
    extra: readonly DbWrite[] = [],
  ): Promise<MessageRecord | null> {
    return this.#exclusively(async () => {
      const before = await this.db.getMessage(id);
      const after = before ? change(before) : null;
      if (!before || !after) {
        return null;
      }
      await this.db.write([await this.db.sealMessage(after), ...extra]);
      this.#show(before, after);
      return after;
    });
  }

  /**
   * Waits until no change is under way, and lets none begin until the returned function is called: around `planChange`
   * and its write. Not to be held while anything is asked of the server.
   */
  hold(): Promise<() => void> {
    return new Promise((resolve) => {
      void this.#exclusively(() => new Promise<void>((release) => resolve(release)));
    });
  }

  /** Prepares a change of a stored message for a transaction with other things; within `hold` only. */
  async planChange(before: MessageRecord, after: MessageRecord): Promise<Planned> {
    const writes = [await this.db.sealMessage(after)];
    return { record: after, writes, apply: () => this.#show(before, after) };
  }

  remove(id: string, extra: readonly DbWrite[] = []): Promise<void> {
    return this.#exclusively(async () => {
      const before = await this.db.getMessage(id);
      await this.db.write([removal('messages', id), removal('blobs', id), ...extra]);
      if (before) {
        this.#threads.get(before.conversation)?.drop(id);
        await this.#refresh(before.conversation);
      }
    });
  }

  /** @returns The messages that were unread until now, oldest first. */
  markRead(jid: string, order: number): Promise<readonly MessageRecord[]> {
    return this.#exclusively(async () => {
      const due = await this.db.unreadUpTo(jid, order);
      const read = due.map(({ isUnread: _, ...record }): MessageRecord => record);
      await this.db.write(await Promise.all(read.map((record) => this.db.sealMessage(record))));
      for (const [index, record] of read.entries()) {
        this.#show(due[index], record);
      }
      return read;
    });
  }

  /** The archive has nothing older than what is here. */
  markComplete(jid: string): Promise<void> {
    return this.#changeConversation(jid, (record) => ({ ...record, isComplete: true }));
  }

  /** Remembers the class in which they write just now. */
  async setTheirClass(jid: string, theirClass: Confidentiality): Promise<void> {
    await this.#changeConversation(jid, (record) => ({ ...record, theirClass }));
  }

  /** @returns When it is ready for `writeDraftsNow`; it is shown, and will be written, before. */
  async setDraft(jid: string, draft: string): Promise<void> {
    const record = { ...this.conversation(jid), draft };
    this.#records.set(jid, record);
    this.#patchSummary(jid, { draft });
    if (!this.#dirtyDrafts.has(jid)) {
      this.#dirtyDrafts.add(jid);
      this.clock.after(DRAFT_DELAY_MS, () => void this.flushDrafts());
    }
    const write = await this.db.sealConversation(record);
    if (this.#isCurrent(record)) {
      this.#readyDrafts.set(jid, { record, write });
    }
  }

  /** Writes the drafts that are not written yet. */
  async flushDrafts(): Promise<void> {
    const due = this.#dueDrafts();
    for (const jid of due) {
      this.#dirtyDrafts.delete(jid);
    }
    await Promise.all(due.map((jid) => this.#changeConversation(jid, (record) => record)));
  }

  /** The same before it returns, for a page that goes. What came in the last moment, and is not sealed yet, is not. */
  writeDraftsNow(): void {
    const ready = this.#dueDrafts().map((jid) => this.#readyDrafts.get(jid));
    this.db.writeNow(ready.flatMap((draft) => (draft && this.#isCurrent(draft.record) ? [draft.write] : [])));
  }

  /** Until a text is stored as a message, its draft is all there is of it: the empty one must not be written sooner. */
  async sending(jid: string, task: () => Promise<void>): Promise<void> {
    this.#sending.set(jid, (this.#sending.get(jid) ?? 0) + 1);
    try {
      await task();
    } finally {
      this.#sending.set(jid, (this.#sending.get(jid) ?? 1) - 1);
      if (this.#dirtyDrafts.has(jid)) {
        this.clock.after(DRAFT_DELAY_MS, () => void this.flushDrafts());
      }
    }
  }

  #dueDrafts(): string[] {
    return [...this.#dirtyDrafts].filter((jid) => !this.#sending.get(jid));
  }

  #isCurrent(record: ConversationRecord): boolean {
    return this.#records.get(record.jid) === record;
  }

  /** The draft that became a message ends with it, in one transaction: it must not be there again beside it. */
  async #planSpentDraft({ conversation: jid, isOwn, order, content }: MessageRecord): Promise<DbWrite[]> {
    if (!isOwn || order < WAITING_ORDER || content.kind !== 'text') {
      return [];
    }
    const conversation = this.conversation(jid);
    const isSpent = conversation.draft.trim() === content.text;
    return [await this.db.sealConversation(isSpent ? { ...conversation, draft: '' } : conversation)];
  }

  /** Resolves when all changes so far are stored, or have failed. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  /** Shows how far an upload or download is, 0 to 1; undefined when it is over. */
  setProgress(record: MessageRecord, progress: number | undefined): void {
    if (progress === undefined) {
      this.#progress.delete(record.id);
    } else {
      this.#progress.set(record.id, progress);
    }
    this.#threads.get(record.conversation)?.redraw(record.id);
  }

  /** The next voice message behind one, in the loaded part of its thread, that is theirs and was not played. */
  nextUnheard(messageId: string): Message | null {
    for (const thread of this.#threads.values()) {
      const index = thread.records.findIndex((record) => record.id === messageId);
      const next =
        index >= 0 && thread.records.slice(index + 1).find((record) => !record.isOwn && isUnheardVoice(record));
      if (next) {
        return this.view(next);
      }
    }
    return null;
  }

  /** What the screens see of a message. */
  view(record: MessageRecord): Message {
    return {
      id: record.id,
      conversation: record.conversation,
      isOwn: record.isOwn,
      sender: record.sender,
      at: record.at,
      content: this.#viewContent(record),
      confidentiality: record.confidentiality,
      ...(record.uncheckedKey !== undefined && { isUnchecked: true as const }),
      ...(record.state && { state: record.state }),
      ...(record.waitingFor && { waitingFor: record.waitingFor }),
      ...(record.failure && { failure: record.failure }),
    };
  }

  #viewContent(record: MessageRecord): Content {
    if (record.content.kind !== 'voice' && record.content.kind !== 'file') {
      return record.content;
    }
    const { url: _, ...content } = record.content;
    const progress = this.#progress.get(record.id);
    return progress === undefined ? content : { ...content, progress };
  }

  #show(before: MessageRecord | undefined, after: MessageRecord): void {
    this.#threads.get(after.conversation)?.put(after);
    const summary = this.#summaries.value.get(after.conversation);
    const unread = (summary?.unread ?? 0) + (after.isUnread ? 1 : 0) - (before?.isUnread ? 1 : 0);
    const isLast = after.content.kind !== 'note' && this.#isNewest(after);
    this.#patchSummary(after.conversation, { unread, ...(isLast && { lastMessage: this.view(after) }) });
    if (isLast) {
      this.#newest.set(after.conversation, after);
    }
  }

  #isNewest(record: MessageRecord): boolean {
    const newest = this.#newest.get(record.conversation);
    return !newest || newest.id === record.id || isNewer(record, newest);
  }

  #patchSummary(jid: string, patch: Partial<Summary>): void {
    const record = this.conversation(jid);
    const before = this.#summaries.value.get(jid) ?? { ...shownOf(record), unread: 0 };
    this.#summaries.value = new Map(this.#summaries.value).set(jid, { ...before, ...patch });
  }

  #changeConversation(jid: string, change: (record: ConversationRecord) => ConversationRecord): Promise<void> {
    return this.#exclusively(async () => {
      const record = change(this.conversation(jid));
      this.#records.set(jid, record);
      await this.db.write([await this.db.sealConversation(record)]);
      const { draft: _, ...shown } = shownOf(record);
      this.#patchSummary(jid, shown);
    });
  }

  async #refresh(jid: string): Promise<void> {
    this.#newest.delete(jid);
    const summary = await this.#summarize(this.conversation(jid));
    this.#summaries.value = new Map(this.#summaries.value).set(jid, summary);
  }

  async #summarize(record: ConversationRecord): Promise<Summary> {
    this.#records.set(record.jid, record);
    const recent = await this.db.messagesBefore(record.jid, Number.POSITIVE_INFINITY, PREVIEW_DEPTH);
    const [last] = recent.filter((message) => message.content.kind !== 'note').sort((a, b) => (isNewer(a, b) ? -1 : 1));
    if (last) {
      this.#newest.set(record.jid, last);
    }
    return {
      ...shownOf(record),
      unread: await this.db.countUnread(record.jid),
      ...(last && { lastMessage: this.view(last) }),
    };
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

function shownOf(record: ConversationRecord): Pick<Summary, 'jid' | 'confidentiality' | 'draft' | 'isPlainFromThem'> {
  const { jid, confidentiality, draft, theirClass } = record;
  return { jid, confidentiality, draft, isPlainFromThem: confidentiality !== 'managed' && theirClass === 'managed' };
}

/** Messages that wait stand behind all others, but are no newer for it. */
function isNewer(a: MessageRecord, b: MessageRecord): boolean {
  const isWaiting = (record: MessageRecord) => record.order >= WAITING_ORDER;
  return isWaiting(a) === isWaiting(b) || a.at === b.at ? a.order > b.order : a.at > b.at;
}

function isUnheardVoice(record: MessageRecord): boolean {
  return record.content.kind === 'voice' && !record.content.isHeard && !record.content.isUnavailable;
}
