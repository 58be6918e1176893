import { type ReadonlySignal, signal } from '@preact/signals';
import type { Message } from '../model';
import type { ClientDb } from './db';
import type { MessageRecord } from './records';

const PAGE = 40;

/** The loaded end of one conversation: from some message on, everything that is stored. */
export class ThreadModel {
  readonly #messages = signal<readonly Message[]>([]);
  readonly #isLoading = signal(true);
  readonly #hasOlder = signal(true);
  readonly #drawn = new Map<MessageRecord, Message>();
  #records: readonly MessageRecord[] = [];
  #firstUnread: string | null = null;
  #loaded: Promise<void> | null = null;
  /** What was stored, or removed (null), while the first page is read: whether it belongs to it is not known yet. */
  #early: Map<string, MessageRecord | null> | null = null;

  constructor(
    readonly jid: string,
    private readonly db: ClientDb,
    private readonly view: (record: MessageRecord) => Message,
  ) {}

  get messages(): ReadonlySignal<readonly Message[]> {
    return this.#messages;
  }

  get isLoading(): ReadonlySignal<boolean> {
    return this.#isLoading;
  }

  get hasOlder(): ReadonlySignal<boolean> {
    return this.#hasOlder;
  }

  get firstUnread(): string | null {
    return this.#firstUnread;
  }

  /** The oldest that is loaded and in the archive. */
  get oldestArchived(): MessageRecord | undefined {
    return this.#records.find((record) => record.stanzaId !== undefined);
  }

  get records(): readonly MessageRecord[] {
    return this.#records;
  }

  get newest(): MessageRecord | undefined {
    return this.#records.at(-1);
  }

  /** Loads the last page. To be called again each time the thread is opened: it tells anew what is unread. */
  load(): Promise<void> {
    this.#firstUnread = this.#records.find((record) => record.isUnread)?.id ?? null;
    this.#loaded ??= this.#loadLast().catch((error: unknown) => {
      this.#loaded = null;
      throw error;
    });
    return this.#loaded;
  }

  /**
   * Loads a page of what is stored in front.
   *
   * @returns Whether there was anything.
   */
  async loadStored(): Promise<boolean> {
    await this.load();
    const before = this.#records[0]?.order ?? Number.POSITIVE_INFINITY;
    const page = await this.db.messagesBefore(this.jid, before, PAGE);
    this.#mergePage(page);
    return page.length > 0;
  }

  setLoading(isLoading: boolean): void {
    this.#isLoading.value = isLoading;
  }

  setHasOlder(hasOlder: boolean): void {
    this.#hasOlder.value = hasOlder;
  }

  /** Adds or replaces a message that was stored. */
  put(record: MessageRecord): void {
    this.#early?.set(record.id, record);
    if (this.#early) {
      return;
    }
    const oldest = this.#records[0];
    const isKnown = this.#records.some((other) => other.id === record.id);
    // What stands in front of the loaded part comes with its page, when it is asked for.
    if (this.#loaded && (isKnown || !oldest || record.order > oldest.order)) {
      this.#merge([record]);
    }
  }

  drop(id: string): void {
    this.#early?.set(id, null);
    this.#records = this.#records.filter((record) => record.id !== id);
    this.#draw();
  }

  /** Something about the message changed that is not stored. */
  redraw(id: string): void {
    const record = this.#records.find((other) => other.id === id);
    if (record) {
      this.#drawn.delete(record);
      this.#draw();
    }
  }

  async #loadLast(): Promise<void> {
    const early = new Map<string, MessageRecord | null>();
    this.#early = early;
    try {
      const page = await this.db.messagesBefore(this.jid, Number.POSITIVE_INFINITY, PAGE);
      this.#firstUnread = page.find((record) => record.isUnread)?.id ?? null;
      this.#merge([...page.filter(({ id }) => !early.has(id)), ...belongingTo(page, early)]);
    } finally {
      this.#early = null;
      this.#isLoading.value = false;
    }
  }

  // A message may have changed since the page was read.
  #mergePage(page: readonly MessageRecord[]): void {
    const known = new Set(this.#records.map((record) => record.id));
    this.#merge(page.filter((record) => !known.has(record.id)));
  }

  #merge(records: readonly MessageRecord[]): void {
    const byId = new Map(this.#records.map((record) => [record.id, record]));
    for (const record of records) {
      byId.set(record.id, record);
    }
    this.#records = [...byId.values()].sort((a, b) => a.order - b.order);
    this.#draw();
  }

  #draw(): void {
    const known = new Map(this.#drawn);
    this.#drawn.clear();
    // A new installation cannot open what came before it: one line says so, not one for each message.
    const shown = this.#records.filter(
      (record, index) => !(isForOthers(record) && isForOthers(this.#records[index + 1])),
    );
    this.#messages.value = shown.map((record) => {
      // An unchanged message keeps its object, so that only what changed is drawn again.
      const message = known.get(record) ?? this.view(record);
      this.#drawn.set(record, message);
      return message;
    });
  }
}

/** What came meanwhile and stands in the page or behind it; what stands in front comes with a page of its own. */
function belongingTo(
  page: readonly MessageRecord[],
  early: ReadonlyMap<string, MessageRecord | null>,
): readonly MessageRecord[] {
  const first = page.length < PAGE ? Number.NEGATIVE_INFINITY : (page[0]?.order ?? Number.NEGATIVE_INFINITY);
  return [...early.values()].filter((record): record is MessageRecord => record !== null && record.order >= first);
}

function isForOthers(record: MessageRecord | undefined): boolean {
  return record?.content.kind === 'unreadable' && record.content.reason === 'not-for-this-device';
}
