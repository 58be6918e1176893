/** Who may notice that the app is there: whoever may see the person's presence, or was written to by them. */
import type { ClientDb } from './db';

export interface AcquaintancesParts {
  readonly own: string;
  readonly db: Pick<ClientDb, 'messagesBefore'>;
  /** Whether the person lets this address see their presence. */
  readonly isSubscribed: (jid: string) => boolean;
}

/** How far back in a conversation an own message is looked for. */
const LOOK_BACK = 200;

export class Acquaintances {
  readonly #writtenTo = new Set<string>();

  constructor(private readonly parts: AcquaintancesParts) {}

  /** Whether receipts, markers and the like may go there, and files may be fetched from there unasked. */
  async has(jid: string): Promise<boolean> {
    const { own, isSubscribed } = this.parts;
    return jid === own || isSubscribed(jid) || (await this.#isWrittenTo(jid));
  }

  async #isWrittenTo(jid: string): Promise<boolean> {
    if (!this.#writtenTo.has(jid)) {
      const recent = await this.parts.db.messagesBefore(jid, Number.POSITIVE_INFINITY, LOOK_BACK);
      if (recent.some((record) => record.isOwn)) {
        this.#writtenTo.add(jid);
      }
    }
    return this.#writtenTo.has(jid);
  }
}
