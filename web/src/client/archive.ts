/** The account's message archive on the server (XEP-0313), read in pages (XEP-0059). */
import { StanzaError } from './errors';
import type { Link } from './link';
import { NS } from './ns';
import { type Archived, parseArchived } from './stanzas';
import { find, type XmlNode, x } from './xml';

export interface PageQuery {
  /** Only this conversation. */
  readonly with?: string;
  /** Entries after this id, oldest first. */
  readonly after?: string;
  /** The last entries before this id; an empty string means the end of the archive. */
  readonly before?: string;
  readonly max: number;
}

export interface Page {
  /** Oldest first, whichever way was paged. */
  readonly entries: readonly Archived[];
  /** There is nothing beyond this page in the direction of paging. */
  readonly isComplete: boolean;
}

const EMPTY: Page = { entries: [], isComplete: true };

export class Archive {
  readonly #collecting = new Map<string, Archived[]>();

  constructor(
    private readonly link: Link,
    private readonly own: string,
  ) {}

  /** Takes a stanza that is a result of a running query; false when it is none. */
  collect(stanza: XmlNode): boolean {
    if (!find(stanza, NS.mam, 'result')) {
      return false;
    }
    const archived = parseArchived(stanza, this.own);
    if (archived) {
      this.#collecting.get(archived.queryId)?.push(archived);
    }
    return true;
  }

  /**
   * Reads one page. An archive that the server does not keep is an empty one.
   *
   * @throws StanzaError `item-not-found` when the id to start from is no longer there.
   * @throws OfflineError
   */
  async page(query: PageQuery): Promise<Page> {
    const queryId = crypto.randomUUID();
    const entries: Archived[] = [];
    this.#collecting.set(queryId, entries);
    try {
      const answer = await this.link.request('set', queryElement(queryId, query));
      const isComplete = find(answer, NS.mam, 'fin')?.attrs.complete === 'true';
      return { entries, isComplete: isComplete || entries.length === 0 };
    } catch (error) {
      if (error instanceof StanzaError && UNSUPPORTED.has(error.condition)) {
        return EMPTY;
      }
      throw error;
    } finally {
      this.#collecting.delete(queryId);
    }
  }
}

const UNSUPPORTED = new Set(['service-unavailable', 'feature-not-implemented']);

function queryElement(queryId: string, query: PageQuery): XmlNode {
  const field = (name: string, value: string, type?: string) =>
    x(NS.dataForms, 'field', { var: name, type }, x(NS.dataForms, 'value', {}, value));
  return x(
    NS.mam,
    'query',
    { queryid: queryId },
    x(
      NS.dataForms,
      'x',
      { type: 'submit' },
      field('FORM_TYPE', NS.mam, 'hidden'),
      query.with !== undefined && field('with', query.with),
    ),
    x(
      NS.rsm,
      'set',
      {},
      x(NS.rsm, 'max', {}, String(query.max)),
      query.after !== undefined && x(NS.rsm, 'after', {}, query.after),
      query.before !== undefined && x(NS.rsm, 'before', {}, query.before),
    ),
  );
}
