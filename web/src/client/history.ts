/** What a thread shows of the past: first what is stored, then what the archive has. */
import type { Link } from './link';
import type { MessageRecord } from './records';
import type { Store } from './store';
import type { Sync } from './sync';

export interface HistoryParts {
  readonly store: Store;
  readonly link: Pick<Link, 'isOpen'>;
  readonly sync: Pick<Sync, 'older'>;
  /** A message is shown that may lack its file. */
  readonly onShown: (record: MessageRecord) => void;
}

/** A thread that has fewer messages is filled up from the archive at once. */
const SHORT_THREAD = 20;

export class History {
  constructor(private readonly parts: HistoryParts) {}

  /** Loads the end of a conversation, and what it lacks. */
  async open(jid: string): Promise<void> {
    const thread = this.parts.store.thread(jid);
    await thread.load();
    for (const record of thread.records) {
      this.parts.onShown(record);
    }
    if (thread.records.length < SHORT_THREAD && this.#hasArchived(jid)) {
      await this.older(jid);
    }
  }

  /** Loads a page in front of what is loaded. */
  async older(jid: string): Promise<void> {
    const { store, sync } = this.parts;
    const thread = store.thread(jid);
    thread.setLoading(true);
    try {
      const hadStored = await thread.loadStored();
      if (!hadStored && this.#hasArchived(jid)) {
        await sync.older(jid, thread.oldestArchived?.stanzaId);
        await thread.loadStored();
      }
      thread.setHasOlder(hadStored || !store.conversation(jid).isComplete);
    } finally {
      thread.setLoading(false);
    }
  }

  #hasArchived(jid: string): boolean {
    return !this.parts.store.conversation(jid).isComplete && this.parts.link.isOpen;
  }
}
