/** Contacts (RFC 6121 sections 2 and 3): the roster with its versions, cached, and requests either way. */

import { signal } from '@preact/signals';
import type { ContactRequest, Subscription } from '../model';
import { type ClientDb, type DbWrite, removal } from './db';
import { StanzaError } from './errors';
import { bareOf, localOf } from './jid';
import type { Link } from './link';
import { NS } from './ns';
import type { RosterRecord } from './records';
import { report } from './report';
import { find, findAll, textOf, type XmlNode, x } from './xml';

const VERSION_KEY = 'roster-version';

export class Roster {
  readonly items = signal<ReadonlyMap<string, RosterRecord>>(new Map());
  readonly requests = signal<readonly ContactRequest[]>([]);
  #tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: ClientDb,
    private readonly link: Link,
    private readonly own: string,
  ) {
    link.onIq('set', NS.roster, (iq) => this.#onPush(iq));
  }

  async load(): Promise<void> {
    this.items.value = new Map((await this.db.roster()).map((item) => [item.jid, item]));
  }

  /** Fetches what changed since the cached version (XEP-0237, now RFC 6121 section 2.6). */
  async refresh(): Promise<void> {
    const version = (await this.db.getMeta<string>(VERSION_KEY)) ?? '';
    const answer = await this.link.request('get', x(NS.roster, 'query', { ver: version }));
    const query = find(answer, NS.roster, 'query');
    if (query) {
      await this.#replace(findAll(query, NS.roster, 'item').flatMap(parseItem), query.attrs.ver);
    }
  }

  /** Name that the person gave, or the one before the @. */
  nameOf(jid: string): string {
    return this.items.value.get(jid)?.name || localOf(jid) || jid;
  }

  /** Adds a contact, asks to see its presence, and lets it see ours (RFC 6121 section 3.4). */
  async add(jid: string, name: string | undefined): Promise<void> {
    await this.#set(jid, name ?? this.items.value.get(jid)?.name ?? '');
    this.link.send(x(NS.client, 'presence', { to: jid, type: 'subscribed' }));
    this.link.send(x(NS.client, 'presence', { to: jid, type: 'subscribe' }));
    this.#dropRequest(jid);
  }

  async rename(jid: string, name: string): Promise<void> {
    await this.#set(jid, name);
  }

  async remove(jid: string): Promise<void> {
    const item = x(NS.roster, 'item', { jid, subscription: 'remove' });
    await this.link.request('set', x(NS.roster, 'query', {}, item));
  }

  async accept(jid: string): Promise<void> {
    await this.add(jid, this.requests.value.find((request) => request.jid === jid)?.name);
  }

  decline(jid: string): void {
    this.link.send(x(NS.client, 'presence', { to: jid, type: 'unsubscribed' }));
    this.#dropRequest(jid);
  }

  /** Takes `<presence/>` about subscriptions; false for any other. */
  takePresence(stanza: XmlNode): boolean {
    const jid = bareOf(stanza.attrs.from ?? '');
    const { type } = stanza.attrs;
    if (type === 'subscribe') {
      this.#onRequest(jid, textOf(find(stanza, NS.nick, 'nick')));
    } else if (type === 'unsubscribe') {
      this.#dropRequest(jid);
    }
    return type === 'subscribe' || type === 'unsubscribe' || type === 'subscribed' || type === 'unsubscribed';
  }

  setLastSeen(jid: string, lastSeen: number): void {
    const item = this.items.value.get(jid);
    if (item) {
      this.#enqueue([{ ...item, lastSeen }], []);
    }
  }

  /** Resolves when all changes so far are stored. */
  settled(): Promise<void> {
    return this.#tail;
  }

  async #set(jid: string, name: string): Promise<void> {
    const item = x(NS.roster, 'item', { jid, name: name || undefined });
    await this.link.request('set', x(NS.roster, 'query', {}, item));
  }

  #onRequest(jid: string, nick: string): void {
    const item = this.items.value.get(jid);
    // Whom we asked, or see already, may see us: the person decided that when adding the contact.
    if (item && (item.isRequested || item.subscription === 'to' || item.subscription === 'both')) {
      this.link.sendIfOpen(x(NS.client, 'presence', { to: jid, type: 'subscribed' }));
      return;
    }
    if (!this.requests.value.some((request) => request.jid === jid)) {
      this.requests.value = [...this.requests.value, { jid, name: nick || localOf(jid) || jid }];
    }
  }

  #dropRequest(jid: string): void {
    this.requests.value = this.requests.value.filter((request) => request.jid !== jid);
  }

  #onPush(iq: XmlNode): null {
    // RFC 6121 section 2.1.6: a push from anybody but our own account is refused.
    if (iq.attrs.from !== undefined && iq.attrs.from !== this.own) {
      throw new StanzaError('service-unavailable', 'cancel');
    }
    const query = find(iq, NS.roster, 'query');
    const item = findAll(query, NS.roster, 'item')[0];
    if (item?.attrs.subscription === 'remove') {
      this.#enqueue([], [item.attrs.jid ?? ''], query?.attrs.ver);
    } else if (item) {
      this.#enqueue(parseItem(item), [], query?.attrs.ver);
    }
    return null;
  }

  #replace(items: readonly RosterRecord[], version: string | undefined): Promise<void> {
    const kept = new Set(items.map((item) => item.jid));
    const gone = [...this.items.value.keys()].filter((jid) => !kept.has(jid));
    return this.#enqueue(items, gone, version);
  }

  #enqueue(items: readonly RosterRecord[], gone: readonly string[], version?: string): Promise<void> {
    const next = new Map(this.items.value);
    const merged = items.map((item) => ({ ...next.get(item.jid), ...item }));
    for (const jid of gone) {
      next.delete(jid);
    }
    for (const item of merged) {
      next.set(item.jid, item);
      if (item.subscription === 'from' || item.subscription === 'both') {
        this.#dropRequest(item.jid);
      }
    }
    this.items.value = next;
    this.#tail = this.#tail.then(() => this.#store(merged, gone, version)).catch(report);
    return this.#tail;
  }

  async #store(items: readonly RosterRecord[], gone: readonly string[], version: string | undefined): Promise<void> {
    const writes: DbWrite[] = await Promise.all(items.map((item) => this.db.sealRoster(item)));
    writes.push(...gone.map((jid) => removal('roster', jid)));
    if (version !== undefined) {
      writes.push(await this.db.sealMeta(VERSION_KEY, version));
    }
    await this.db.write(writes);
  }
}

/** Reads a roster item; one without an address, or that is none, is left out. */
export function parseItem(item: XmlNode): RosterRecord[] {
  const { jid, name, subscription, ask } = item.attrs;
  if (!jid || subscription === 'remove') {
    return [];
  }
  return [
    {
      jid: bareOf(jid),
      name: name ?? '',
      subscription: subscriptionOf(subscription),
      isRequested: ask === 'subscribe',
    },
  ];
}

function subscriptionOf(text: string | undefined): Subscription {
  return text === 'to' || text === 'from' || text === 'both' ? text : 'none';
}
