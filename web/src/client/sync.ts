/**
 * Brings a new session up to date, and takes what arrives strictly in order: first what the archive kept while we were
 * away, then what has come over the stream meanwhile.
 */

import { StoreError } from '../e2ee';
import type { Archive, Page } from './archive';
import type { ClientDb } from './db';
import { OfflineError, StanzaError, StoppedError } from './errors';
import { type Arrival, type Inbox, RECENT } from './inbox';
import { report } from './report';
import type { Archived, Envelope } from './stanzas';
import type { Store } from './store';
import type { TaskGroup } from './tasks';

const PAGE = 100;
/** How far a new installation looks back; the rest comes when somebody scrolls. */
const FIRST_PAGES = 3;
/** How far it looks back when the archive no longer has where we were: whatever it has may be new. */
const FORGOTTEN_PAGES = 50;
const OLDER_PAGE = 40;
const LAST_ID_KEY = 'archive-last-id';

export interface SyncParts {
  readonly db: ClientDb;
  readonly store: Store;
  readonly archive: Archive;
  readonly inbox: Inbox;
  /** What is enqueued belongs to it: when it is stopped, what was not begun is left to the next session. */
  readonly tasks: TaskGroup;
  /** Something could not be stored: a catch-up is due, before long. */
  readonly onGap: () => void;
}

export class Sync {
  #tail: Promise<void> = Promise.resolve();
  #isBehind = true;

  constructor(private readonly parts: SyncParts) {}

  /**
   * The archive may hold what this session has not seen, or could not store. Until a catch-up has succeeded nothing moves the mark from which
   * the next one begins.
   */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** A new session: what came while there was none is in the archive alone. */
  fallBehind(): void {
    this.#isBehind = true;
  }

  /** Runs a task after everything that was enqueued before. It does not stop the others when it fails. */
  enqueue(task: () => Promise<void>): Promise<void> {
    const run = this.#tail.then(() => this.parts.tasks.run(task));
    this.#tail = run.catch((error: unknown) => {
      if (!(error instanceof OfflineError || error instanceof StoppedError)) {
        report(error);
      }
    });
    return run;
  }

  /** Takes a message that came over the stream. */
  take(envelope: Envelope): void {
    void this.enqueue(async () => {
      await this.#takeOne(envelope, RECENT);
      if (envelope.stanzaId !== undefined && !this.#isBehind) {
        await this.parts.db.putMeta(LAST_ID_KEY, envelope.stanzaId);
      }
    }).catch(() => undefined);
  }

  /** Fetches what the archive has behind the last message we know. To be run by `enqueue`. */
  async catchUp(): Promise<void> {
    await this.#catchUp();
    this.#isBehind = false;
  }

  async #catchUp(): Promise<void> {
    let after = await this.parts.db.getMeta<string>(LAST_ID_KEY);
    if (after === undefined) {
      await this.#last(FIRST_PAGES);
      return;
    }
    for (;;) {
      const page = await this.#pageAfter(after);
      if (!page) {
        await this.#last(FORGOTTEN_PAGES);
        return;
      }
      await this.#takeAll(page.entries, RECENT);
      const last = page.entries.at(-1);
      if (page.isComplete || !last) {
        return;
      }
      after = last.archiveId;
    }
  }

  /**
   * Fetches a page in front of what we have of a conversation.
   *
   * @param before Archive id of the oldest that we have; undefined when there is none.
   */
  async older(jid: string, before: string | undefined): Promise<void> {
    const page = await this.parts.archive.page({ with: jid, before: before ?? '', max: OLDER_PAGE });
    const base = this.parts.store.reserveOlder(page.entries.length);
    await this.enqueue(async () => {
      for (const [index, entry] of page.entries.entries()) {
        await this.#take(entry, { kind: 'older', order: base + index });
      }
    });
    if (page.isComplete) {
      await this.parts.store.markComplete(jid);
    }
  }

  async #pageAfter(after: string): Promise<Page | null> {
    try {
      return await this.parts.archive.page({ after, max: PAGE });
    } catch (error) {
      // The archive no longer has that message: retention is shorter than our absence.
      if (error instanceof StanzaError && error.condition === 'item-not-found') {
        return null;
      }
      throw error;
    }
  }

  /** Takes the last pages of the archive, oldest first. What we have is told by its id. */
  async #last(limit: number): Promise<void> {
    const pages: Page[] = [];
    let before = '';
    for (let count = 0; count < limit; count += 1) {
      const page = await this.parts.archive.page({ before, max: PAGE });
      pages.unshift(page);
      const oldest = page.entries[0];
      if (page.isComplete || !oldest) {
        break;
      }
      before = oldest.archiveId;
    }
    await this.#takeAll(
      pages.flatMap((page) => page.entries),
      RECENT,
    );
  }

  async #takeAll(entries: readonly Archived[], arrival: Arrival): Promise<void> {
    for (const entry of entries) {
      await this.#take(entry, arrival);
    }
    const last = entries.at(-1);
    if (last) {
      await this.parts.db.putMeta(LAST_ID_KEY, last.archiveId);
    }
  }

  async #take(entry: Archived, arrival: Arrival): Promise<void> {
    if (entry.envelope) {
      await this.#takeOne(entry.envelope, arrival);
    }
  }

  /** A message that we stumble over is left out; one that the storage or the line stood in the way of comes again. */
  async #takeOne(envelope: Envelope, arrival: Arrival): Promise<void> {
    try {
      await this.parts.inbox.take(envelope, arrival);
    } catch (error) {
      if (error instanceof StoreError || error instanceof OfflineError) {
        this.#isBehind = true;
        this.parts.onGap();
        throw error;
      }
      report(error);
    }
  }
}
