/**
 * A server in memory for tests of whole flows: accounts, rosters, personal events, archive, carbons, acknowledgements,
 * resumption. It does what the client relies on and nothing else.
 */
import { Window } from 'happy-dom';
import type { QueuedStanza, SMState } from 'strophe.js';
import { type Credentials, deriveVerifier } from '../auth';
import { bareOf } from '../jid';
import { NS } from '../ns';
import type { SmMemory } from '../sm';
import type { Stream, StreamEvents } from '../stream';
import { elements, find, fromElement, serialize, textOf, type XmlNode, x } from '../xml';

interface Account {
  readonly password: string;
  readonly credentials: Map<string, XmlNode>;
  readonly roster: Map<string, XmlNode>;
  readonly nodes: Map<string, XmlNode>;
  readonly archive: { readonly id: string; readonly message: XmlNode }[];
  readonly sessions: Map<string, Session>;
}

/** What outlives a cut. */
interface Session {
  readonly id: string;
  readonly jid: string;
  handled: number;
  isPresent: boolean;
  stream: FakeStream | null;
  undelivered: XmlNode[];
}

const parser = new new Window().DOMParser();

export class FakeServer {
  /** Every message that was accepted, as it was sent. */
  readonly accepted: string[] = [];
  /** Condition with which messages with content are refused from now on. */
  refusing: string | null = null;
  /** Namespaces of the next questions that it leaves without an answer: each stands for one. */
  ignoring: string[] = [];
  readonly #accounts = new Map<string, Account>();
  #archiveIds = 0;

  constructor(people: readonly string[]) {
    for (const jid of people) {
      this.#accounts.set(jid, {
        password: `password of ${jid}`,
        credentials: new Map(),
        roster: new Map(people.filter((other) => other !== jid).map((other) => [other, rosterItem(other)])),
        nodes: new Map(),
        archive: [],
        sessions: new Map(),
      });
    }
  }

  readonly openStream = (_url: string, credentials: Credentials, sm: SmMemory, events: StreamEvents): Stream =>
    new FakeStream(this, credentials, sm, events);

  account(jid: string): Account {
    const account = this.#accounts.get(jid);
    if (!account) {
      throw new Error(`nobody is called ${jid}`);
    }
    return account;
  }

  /** Cuts the lines of a person. */
  cut(jid: string): void {
    for (const { stream } of this.account(jid).sessions.values()) {
      stream?.end({ kind: 'network' });
    }
  }

  /** From now on nothing that the person sends arrives, though the line seems alive. */
  deafen(jid: string): void {
    for (const { stream } of this.account(jid).sessions.values()) {
      if (stream) {
        stream.isDeaf = true;
      }
    }
  }

  /** The page of an installation is gone without a word: it hears nothing any more. */
  abandon(jid: string, resource: string): void {
    this.account(jid).sessions.get(resource)?.stream?.mute();
    this.account(jid).sessions.delete(resource);
  }

  /** Forgets the person's sessions: they cannot be resumed. */
  forgetSessions(jid: string): void {
    this.account(jid).sessions.clear();
  }

  async admits(credentials: Credentials): Promise<boolean> {
    const account = this.#accounts.get(credentials.jid);
    if (!account || credentials.kind === 'password') {
      return account?.password === credentials.secret;
    }
    const attrs = account.credentials.get(credentials.resource)?.attrs;
    if (!attrs) {
      return false;
    }
    const salt = Uint8Array.from(atob(attrs.salt ?? ''), (character) => character.charCodeAt(0));
    return (await deriveVerifier(credentials.secret, salt)).storedKey === attrs['stored-key'];
  }

  take(session: Session, stanza: XmlNode, text: string): void {
    session.handled += 1;
    if (stanza.name === 'message') {
      this.#route(session, stanza, text);
    } else if (stanza.name === 'iq') {
      this.#answer(session, stanza);
    } else if (stanza.attrs.type === undefined && !stanza.attrs.to) {
      this.#onPresence(session);
    }
  }

  #route(session: Session, stanza: XmlNode, text: string): void {
    if (this.refusing !== null && find(stanza, NS.axolotl, 'encrypted')) {
      const attrs = { id: stanza.attrs.id, from: stanza.attrs.to, to: session.jid, type: 'error' };
      const error = x(NS.client, 'error', { type: 'cancel' }, x(NS.stanzas, this.refusing));
      session.stream?.events.onStanza(x(NS.client, 'message', attrs, error));
      return;
    }
    this.accepted.push(text);
    const from = bareOf(session.jid);
    const to = bareOf(stanza.attrs.to ?? from);
    const message: XmlNode = { ...stanza, attrs: { ...stanza.attrs, from: session.jid } };
    this.#archive(from, message);
    for (const other of this.account(from).sessions.values()) {
      if (other !== session) {
        const inner = x(NS.forward, 'forwarded', {}, message);
        this.#deliver(other, x(NS.client, 'message', { from }, x(NS.carbons, 'sent', {}, inner)));
      }
    }
    const id = this.#archive(to, message);
    const stamped = { ...message, children: [...message.children, x(NS.sid, 'stanza-id', { by: to, id })] };
    for (const other of this.account(to).sessions.values()) {
      this.#deliver(other, stamped);
    }
  }

  #archive(owner: string, message: XmlNode): string {
    this.#archiveIds += 1;
    const id = `archive-${this.#archiveIds}`;
    if (!find(message, NS.hints, 'no-store')) {
      this.account(owner).archive.push({ id, message });
    }
    return id;
  }

  #deliver(session: Session, stanza: XmlNode): void {
    if (!session.isPresent) {
      return;
    }
    if (session.stream) {
      session.stream.events.onStanza(stanza);
    } else {
      session.undelivered.push(stanza);
    }
  }

  #onPresence(session: Session): void {
    session.isPresent = true;
    const own = bareOf(session.jid);
    for (const jid of [own, ...this.account(own).roster.keys()]) {
      const list = this.account(jid).nodes.get(NS.deviceList);
      if (list) {
        this.#deliver(session, event(jid, list));
      }
      for (const other of this.account(jid).sessions.values()) {
        if (other !== session && other.isPresent) {
          this.#deliver(other, x(NS.client, 'presence', { from: session.jid }));
          this.#deliver(session, x(NS.client, 'presence', { from: other.jid }));
        }
      }
    }
  }

  #answer(session: Session, iq: XmlNode): void {
    const payload = elements(iq)[0];
    const ignored = this.ignoring.indexOf(payload?.ns ?? '');
    if (ignored >= 0) {
      this.ignoring.splice(ignored, 1);
      return;
    }
    const owner = bareOf(iq.attrs.to ?? session.jid);
    const result = payload && this.#resultOf(session, owner, payload);
    const attrs = { id: iq.attrs.id, from: iq.attrs.to, to: session.jid };
    if (result === undefined) {
      const error = x(NS.client, 'error', { type: 'cancel' }, x(NS.stanzas, 'item-not-found'));
      session.stream?.events.onStanza(x(NS.client, 'iq', { ...attrs, type: 'error' }, error));
    } else {
      session.stream?.events.onStanza(x(NS.client, 'iq', { ...attrs, type: 'result' }, result));
    }
  }

  /** Null for an empty answer, undefined for an error. */
  #resultOf(session: Session, owner: string, payload: XmlNode): XmlNode | null | undefined {
    const account = this.account(bareOf(session.jid));
    switch (payload.ns) {
      case NS.roster:
        return x(NS.roster, 'query', { ver: '1' }, ...account.roster.values());
      case NS.pubsub:
        return this.#pubsub(owner, payload);
      case NS.mam:
        return this.#page(session, payload);
      case NS.discoInfo:
        return x(NS.discoInfo, 'query', {}, x(NS.discoInfo, 'feature', { var: NS.upload }));
      case NS.upload:
        return slot();
      case NS.devices:
        return this.#devices(account, payload);
      default:
        return null;
    }
  }

  #pubsub(owner: string, payload: XmlNode): XmlNode | null | undefined {
    const publish = find(payload, NS.pubsub, 'publish');
    const item = find(publish, NS.pubsub, 'item');
    if (publish && item) {
      const node = publish.attrs.node ?? '';
      this.account(owner).nodes.set(node, item);
      if (node === NS.deviceList) {
        for (const account of this.#accounts.values()) {
          for (const session of account.sessions.values()) {
            this.#deliver(session, event(owner, item));
          }
        }
      }
      return null;
    }
    const node = find(payload, NS.pubsub, 'items')?.attrs.node ?? '';
    const stored = this.#accounts.get(owner)?.nodes.get(node);
    return stored && x(NS.pubsub, 'pubsub', {}, x(NS.pubsub, 'items', { node }, stored));
  }

  #page(session: Session, query: XmlNode): XmlNode | undefined {
    const own = bareOf(session.jid);
    const set = find(query, NS.rsm, 'set');
    const max = Number(textOf(find(set, NS.rsm, 'max')));
    const after = find(set, NS.rsm, 'after');
    const before = find(set, NS.rsm, 'before');
    const fields = elements(find(query, NS.dataForms, 'x'));
    const peer = textOf(
      find(
        fields.find((field) => field.attrs.var === 'with'),
        NS.dataForms,
        'value',
      ),
    );
    const all = this.account(own).archive.filter(
      ({ message }) => !peer || [bareOf(message.attrs.from ?? ''), bareOf(message.attrs.to ?? '')].includes(peer),
    );
    const from = after ? all.findIndex(({ id }) => id === textOf(after)) + 1 : 0;
    const to = before && textOf(before) ? all.findIndex(({ id }) => id === textOf(before)) : all.length;
    const range = all.slice(from, to);
    const page = before ? range.slice(-max) : range.slice(0, max);
    for (const { id, message } of page) {
      const stamp = x(NS.delay, 'delay', { stamp: '2026-01-01T00:00:00Z' });
      const result = x(
        NS.mam,
        'result',
        { id, queryid: query.attrs.queryid },
        x(NS.forward, 'forwarded', {}, stamp, message),
      );
      session.stream?.events.onStanza(x(NS.client, 'message', { from: own }, result));
    }
    return x(NS.mam, 'fin', { complete: page.length === range.length ? 'true' : undefined });
  }

  #devices(account: Account, payload: XmlNode): XmlNode | null {
    const resource = payload.attrs.resource ?? '';
    if (payload.name === 'credential') {
      account.credentials.set(resource, payload);
    } else if (payload.name === 'revoke') {
      account.credentials.delete(resource);
      const signedOut = account.sessions.get(resource);
      account.sessions.delete(resource);
      // The answer first: it may be the installation itself that asked.
      queueMicrotask(() => signedOut?.stream?.end({ kind: 'stream-error', condition: 'not-authorized' }));
    } else if (payload.name === 'revoke-all') {
      account.credentials.clear();
    } else {
      const devices = [...account.credentials].map(([name, credential]) =>
        x(NS.devices, 'device', { resource: name, name: credential.attrs.name, online: 'true' }),
      );
      return x(NS.devices, 'devices', {}, ...devices);
    }
    return null;
  }
}

class FakeStream implements Stream {
  isDeaf = false;
  #isOver = false;
  #session: Session | null = null;
  #sent: QueuedStanza[] = [];

  constructor(
    private readonly server: FakeServer,
    private readonly credentials: Credentials,
    private readonly sm: SmMemory,
    readonly events: StreamEvents,
  ) {
    void this.#begin();
  }

  send(stanza: XmlNode | string): void {
    const text = typeof stanza === 'string' ? stanza : serialize(stanza);
    this.#sent.push({ name: 'message', stanza: text, queuedAt: 0 });
    this.#save();
    this.#arrive(text);
  }

  requestAck(): void {
    if (!this.isDeaf && !this.#isOver && this.#session) {
      const { handled } = this.#session;
      this.#sent = this.#sent.slice(Math.max(0, this.#sent.length - (this.#total - handled)));
      this.#save();
      // The answer is never there before the question has been asked.
      queueMicrotask(() => this.events.onTraffic());
    }
  }

  drop(): void {
    this.end({ kind: 'network' });
  }

  close(): void {
    this.server.account(this.credentials.jid).sessions.delete(this.credentials.resource);
    this.end({ kind: 'network' });
  }

  mute(): void {
    this.isDeaf = true;
    this.#isOver = true;
  }

  end(end: Parameters<StreamEvents['onEnd']>[0]): void {
    if (!this.#isOver) {
      this.#isOver = true;
      if (this.#session?.stream === this) {
        this.#session.stream = null;
      }
      this.events.onEnd(end);
    }
  }

  /** How many stanzas were sent in this session, over all its streams. */
  #total = 0;

  async #begin(): Promise<void> {
    if (!(await this.server.admits(this.credentials))) {
      this.end({ kind: 'refused', condition: 'not-authorized', details: [] });
      return;
    }
    const { jid, resource } = this.credentials;
    const { sessions } = this.server.account(jid);
    const state = this.sm.load('') as (SMState & { total: number }) | null;
    const old = sessions.get(resource);
    if (state && old && state.id === old.id) {
      this.#resume(old, state);
      return;
    }
    this.sm.clear();
    this.#session = {
      id: crypto.randomUUID(),
      jid: `${jid}/${resource}`,
      handled: 0,
      isPresent: false,
      stream: this,
      undelivered: [],
    };
    sessions.set(resource, this.#session);
    this.events.onOpen(false, this.#session.jid);
  }

  #resume(session: Session, state: SMState & { total: number }): void {
    this.#session = session;
    session.stream = this;
    this.#total = state.total;
    this.#sent = state.unacked.slice(Math.max(0, state.unacked.length - (this.#total - session.handled)));
    const missing = this.#sent.map((entry) => entry.stanza);
    this.#total -= missing.length;
    this.#save();
    for (const text of missing) {
      this.#arrive(text);
    }
    this.events.onOpen(true, session.jid);
    const due = session.undelivered;
    session.undelivered = [];
    for (const stanza of due) {
      this.events.onStanza(stanza);
    }
    this.requestAck();
  }

  #arrive(text: string): void {
    this.#total += 1;
    this.#save();
    const session = this.#session;
    if (!this.isDeaf && !this.#isOver && session) {
      const stanza = fromElement(parser.parseFromString(text, 'text/xml').documentElement as unknown as Element);
      this.server.take(session, stanza, text);
    }
  }

  #save(): void {
    const state = { id: this.#session?.id, enabled: true, unacked: this.#sent, total: this.#total };
    this.sm.save('', state as unknown as SMState);
  }
}

function slot(): XmlNode {
  const url = `http://home/${crypto.randomUUID()}/f.ogg`;
  return x(NS.upload, 'slot', {}, x(NS.upload, 'put', { url }), x(NS.upload, 'get', { url }));
}

function rosterItem(jid: string): XmlNode {
  return x(NS.roster, 'item', { jid, subscription: 'both' });
}

function event(from: string, item: XmlNode): XmlNode {
  const published = { ...item, ns: NS.pubsubEvent };
  const items = x(NS.pubsubEvent, 'items', { node: NS.deviceList }, published);
  return x(NS.client, 'message', { from, type: 'headline' }, x(NS.pubsubEvent, 'event', {}, items));
}
