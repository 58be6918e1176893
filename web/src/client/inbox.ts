/** What arrives: each message once, opened, in the order of the archive; receipts and markers where they belong. */
import { StoreError } from '../e2ee';
import type { Confidentiality, NoteContent } from '../model';
import { isPassing } from './errors';
import { contentOf } from './files';
import { heard, markedMessage, raised } from './marks';
import type { Outbox } from './outbox';
import type { MessageRecord, StoredContent } from './records';
import type { Sealing, UnsealOutcome } from './sealing';
import { buildReceipt, type Envelope, failureOf } from './stanzas';
import type { NewMessage, Planned, Store } from './store';

export interface InboxParts {
  readonly own: string;
  readonly store: Store;
  readonly outbox: Pick<Outbox, 'onArrived' | 'onRefused' | 'enqueueControl'>;
  readonly sealing: Pick<Sealing, 'unseal' | 'onEvent' | 'trustedKeys'>;
  readonly now: () => number;
  /** Whether somebody may notice by our answers that the app is there. */
  readonly mayNotice: (jid: string) => Promise<boolean>;
  readonly onStored: (record: MessageRecord) => void;
}

/**
 * Where a message comes from in time: `recent` is new to us (it arrived, or waited in the archive), `older` is history
 * that the person scrolls back to.
 */
export type Arrival = { readonly kind: 'recent' } | { readonly kind: 'older'; readonly order: number };

export const RECENT: Arrival = { kind: 'recent' };

/** What a note says; it is about the other side of the conversation unless `jid` names somebody. */
export type NewNote = Omit<NoteContent, 'kind' | 'jid'> & { readonly jid?: string };

/** A receipt for a message older than this would tell nobody anything. */
const RECEIPT_AGE_MS = 14 * 24 * 3600_000;

/** How far back in a conversation messages are looked for that a decision about a device changes. */
const REOPEN_LIMIT = 1000;

function changeNote(confidentiality: Confidentiality): Pick<NoteContent, 'note' | 'confidentiality'> {
  return confidentiality === 'managed' ? { note: 'plain-from-them' } : { note: 'class-changed', confidentiality };
}

/** How far back in a conversation without messages its first note is looked for. */
const INTRODUCTION_LIMIT = 50;

export class Inbox {
  /** Conversations that begin, or have begun, with a word about whom one writes to. */
  readonly #introduced = new Map<string, Promise<void>>();

  constructor(private readonly parts: InboxParts) {}

  /**
   * Takes one message. To be called for one at a time.
   *
   * @throws StoreError when the storage failed: the message has to be taken again.
   */
  async take(envelope: Envelope, arrival: Arrival): Promise<void> {
    try {
      await this.#take(envelope, arrival);
    } catch (error) {
      // The browser's storage or cryptography failed, which says nothing about the message.
      throw error instanceof DOMException ? new StoreError('store-unavailable', error.name, { cause: error }) : error;
    }
  }

  async #take(envelope: Envelope, arrival: Arrival): Promise<void> {
    if (envelope.error) {
      await this.#onError(envelope);
    } else if (envelope.event) {
      if (envelope.source === 'live') {
        await this.parts.sealing.onEvent(envelope.from, envelope.event);
      }
    } else if (envelope.type !== 'groupchat' && envelope.type !== 'headline' && !(await this.#isKnown(envelope))) {
      await this.#onMarks(envelope);
      await this.#onContent(envelope, arrival);
    }
  }

  async #onError(envelope: Envelope): Promise<void> {
    const candidates = await this.parts.store.db.findByWireId(envelope.id ?? '');
    const message = markedMessage(candidates, envelope.peer, true);
    if (message && envelope.error && envelope.source !== 'archive') {
      await this.parts.outbox.onRefused(message, failureOf(envelope.error.condition), isPassing(envelope.error));
    }
  }

  /** Whether we have the message already; what this copy tells about it is taken over. */
  async #isKnown(envelope: Envelope): Promise<boolean> {
    const { store, outbox } = this.parts;
    const { stanzaId, at } = envelope;
    if (stanzaId !== undefined && (await store.db.findByStanzaId(stanzaId))) {
      return true;
    }
    const wireId = envelope.originId ?? (envelope.isOwn ? envelope.id : undefined);
    if (wireId === undefined) {
      return false;
    }
    if (envelope.isOwn && (await outbox.onArrived(wireId, stanzaId, at))) {
      return true;
    }
    const candidates = await store.db.findByWireId(wireId);
    const twin = candidates.find((record) => record.conversation === envelope.peer && record.sender === envelope.from);
    if (twin && stanzaId !== undefined && twin.stanzaId === undefined) {
      const isTimed = twin.isOwn && at !== undefined;
      await store.update(twin.id, (record) => ({ ...record, stanzaId, ...(isTimed && { at }) }));
    }
    return twin !== undefined;
  }

  async #onMarks(envelope: Envelope): Promise<void> {
    if (!envelope.isOwn) {
      await this.#onProof(envelope.receiptFor ?? envelope.displayed ?? envelope.heard, envelope.peer);
    }
    if (envelope.receiptFor !== undefined && !envelope.isOwn) {
      const message = await this.#marked(envelope.receiptFor, envelope.peer, true);
      if (message) {
        await this.parts.store.update(message.id, (record) => raised(record, 'delivered'));
      }
    }
    if (envelope.displayed !== undefined) {
      await this.#onDisplayed(envelope.displayed, envelope);
    }
    if (envelope.heard !== undefined) {
      const message = await this.#marked(envelope.heard, envelope.peer, !envelope.isOwn);
      if (message) {
        await this.parts.store.update(message.id, heard);
      }
    }
  }

  /** What the other side has, the server had: the acknowledgement may have been lost with its session. */
  async #onProof(wireId: string | undefined, peer: string): Promise<void> {
    if (wireId !== undefined && (await this.#marked(wireId, peer, true))) {
      await this.parts.outbox.onArrived(wireId);
    }
  }

  /** A marker covers everything in front of the message it names (XEP-0333 section 4.2). */
  async #onDisplayed(id: string, envelope: Envelope): Promise<void> {
    const { store } = this.parts;
    const message = await this.#marked(id, envelope.peer, !envelope.isOwn);
    if (!message) {
      return;
    }
    if (envelope.isOwn) {
      await store.markRead(envelope.peer, message.order);
      return;
    }
    let before = message.order + 1;
    for (;;) {
      const page = (await store.db.messagesBefore(envelope.peer, before, 50)).filter((record) => record.isOwn);
      const due = page.filter((record) => raised(record, 'read'));
      for (const record of due) {
        await store.update(record.id, (current) => raised(current, 'read'));
      }
      const first = page[0];
      // What stands in front of a message that was read already was covered by an earlier marker.
      if (!first || due.length < page.length) {
        return;
      }
      before = first.order;
    }
  }

  async #marked(id: string, conversation: string, isOwn: boolean): Promise<MessageRecord | undefined> {
    return markedMessage(await this.parts.store.db.findByWireId(id), conversation, isOwn);
  }

  async #onContent(envelope: Envelope, arrival: Arrival): Promise<void> {
    if (envelope.sealed) {
      await this.#onSealed(envelope, arrival);
    } else if (envelope.isForeignCipher) {
      await this.#add(envelope, arrival, { kind: 'unreadable', reason: 'unsupported' }, 'sealed');
    } else if (envelope.body) {
      await this.#noteClass(envelope, arrival, 'managed');
      await this.#add(envelope, arrival, contentOf(envelope.body), 'managed');
    }
  }

  async #onSealed(envelope: Envelope, arrival: Arrival): Promise<void> {
    const { store, sealing } = this.parts;
    const { sealed } = envelope;
    if (!sealed) {
      return;
    }
    const opened: { planned?: Planned } = {};
    const outcome = await sealing.unseal(envelope, sealed, async (text, uncheckedKey) => {
      await this.#noteClass(envelope, arrival, 'sealed');
      const message = this.#messageOf(envelope, arrival, contentOf(text), 'sealed');
      opened.planned = await store.planAdd(withKey(message, uncheckedKey), this.#orderOf(arrival));
      return opened.planned.writes;
    });
    if (opened.planned && outcome.kind === 'opened') {
      opened.planned.apply();
      await this.#afterAdd(envelope, arrival, opened.planned.record);
    } else if (outcome.kind === 'refused' && sealed.payload) {
      const content = { kind: 'unreadable', reason: outcome.reason } as const;
      const message = this.#messageOf(envelope, arrival, content, 'sealed');
      await this.#keep(envelope, arrival, { ...message, refused: sealed });
    } else if (outcome.kind === 'unreadable' && sealed.payload) {
      await this.#add(envelope, arrival, { kind: 'unreadable', reason: outcome.reason }, 'sealed');
    }
  }

  /**
   * Takes over what was decided about devices of a person: opens what was refused from them, and takes the mark off what
   * came from them unchecked, as far back as `REOPEN_LIMIT` messages. One at a time, too.
   */
  async reopen(jid: string): Promise<void> {
    const { store, own, sealing } = this.parts;
    const trusted = await sealing.trustedKeys(jid);
    for (const conversation of jid === own ? store.summaries.value.keys() : [jid]) {
      const recent = await store.db.messagesBefore(conversation, Number.POSITIVE_INFINITY, REOPEN_LIMIT);
      for (const record of recent) {
        if (record.refused && record.sender === jid) {
          await this.#reopen(record.id);
        } else if (record.uncheckedKey !== undefined && record.sender === jid && trusted.has(record.uncheckedKey)) {
          await store.update(record.id, (current) => withKey(current, null));
        }
      }
    }
  }

  async #reopen(id: string): Promise<void> {
    const { store, sealing, onStored } = this.parts;
    const record = await store.db.getMessage(id);
    if (!record?.refused) {
      return;
    }
    const opened: { planned?: Planned | undefined; release?: () => void } = {};
    let outcome: UnsealOutcome;
    try {
      const { sender: from, isOwn, refused } = record;
      outcome = await sealing.unseal({ from, isOwn }, refused, async (text, uncheckedKey) => {
        // Other changes wait from here to the write, and not before: opening may ask the server for keys.
        opened.release ??= await store.hold();
        opened.planned = await this.#planOpened(id, text, uncheckedKey);
        return opened.planned?.writes ?? [];
      });
      if (outcome.kind === 'opened') {
        opened.planned?.apply();
      }
    } finally {
      opened.release?.();
    }
    if (outcome.kind === 'opened' && opened.planned) {
      onStored(opened.planned.record);
    } else if (outcome.kind !== 'refused') {
      const content = { kind: 'unreadable', reason: 'broken' } as const;
      await store.update(id, ({ refused: _, ...rest }) => ({ ...rest, content }));
    }
  }

  async #planOpened(id: string, text: string, uncheckedKey: string | null): Promise<Planned | undefined> {
    const { store } = this.parts;
    const record = await store.db.getMessage(id);
    if (!record) {
      return undefined;
    }
    const { refused: _, ...rest } = record;
    // Only now it can be read, so it counts as new.
    const after = { ...rest, content: contentOf(text), ...(!rest.isOwn && { isUnread: true }) };
    return store.planChange(record, withKey(after, uncheckedKey));
  }

  async #add(
    envelope: Envelope,
    arrival: Arrival,
    content: StoredContent,
    confidentiality: Confidentiality,
  ): Promise<void> {
    await this.#keep(envelope, arrival, this.#messageOf(envelope, arrival, content, confidentiality));
  }

  async #keep(envelope: Envelope, arrival: Arrival, message: NewMessage): Promise<void> {
    const record = await this.parts.store.add(message, this.#orderOf(arrival));
    await this.#afterAdd(envelope, arrival, record);
  }

  async #afterAdd(envelope: Envelope, arrival: Arrival, record: MessageRecord): Promise<void> {
    this.parts.onStored(record);
    if (arrival.kind === 'older') {
      return;
    }
    if (envelope.isOwn) {
      // Whoever answers from another device has read what stood there.
      await this.parts.store.markRead(envelope.peer, record.order);
    } else {
      await this.#answerReceipt(envelope, record);
    }
  }

  async #answerReceipt(envelope: Envelope, record: MessageRecord): Promise<void> {
    const isFresh = this.parts.now() - record.at < RECEIPT_AGE_MS;
    // Who cannot open a message has not received it; perhaps another device has.
    const isOpened = record.content.kind !== 'unreadable';
    // A receipt shows that we are there: only those who may see that get one (XEP-0184 section 7).
    const isDue = envelope.wantsReceipt && isFresh && isOpened;
    if (isDue && envelope.id && (await this.parts.mayNotice(envelope.from))) {
      const id = crypto.randomUUID();
      await this.parts.outbox.enqueueControl(envelope.from, id, buildReceipt(envelope.from, id, envelope.id));
    }
  }

  /** Says in the thread that from here on other machines can read what comes, or no longer. */
  async #noteClass(envelope: Envelope, arrival: Arrival, confidentiality: Confidentiality): Promise<void> {
    const { store } = this.parts;
    const { peer, isOwn } = envelope;
    if (arrival.kind === 'older') {
      return;
    }
    const { theirClass = 'sealed' } = store.conversation(peer);
    if (!store.summaries.value.get(peer)?.lastMessage && confidentiality === 'sealed') {
      await this.introduce(peer);
    } else if (!isOwn && theirClass !== confidentiality) {
      await this.note(peer, { ...changeNote(confidentiality) });
    }
    if (!isOwn && theirClass !== confidentiality) {
      await store.setTheirClass(peer, confidentiality);
    }
  }

  /** The first sealed message of a conversation is preceded by a word about whom one writes to, once. */
  async introduce(jid: string): Promise<void> {
    const begun = this.#introduced.get(jid) ?? this.#introduce(jid);
    this.#introduced.set(jid, begun);
    try {
      await begun;
    } catch (error) {
      this.#introduced.delete(jid);
      throw error;
    }
  }

  async #introduce(jid: string): Promise<void> {
    const { store } = this.parts;
    if (store.summaries.value.get(jid)?.lastMessage) {
      return;
    }
    // The message that it preceded may have been deleted, or lost in a crash.
    const recent = await store.db.messagesBefore(jid, Number.POSITIVE_INFINITY, INTRODUCTION_LIMIT);
    if (!recent.some(({ content }) => content.kind === 'note' && content.note === 'first-contact')) {
      await this.note(jid, { note: 'first-contact' });
    }
  }

  /** Puts a note at the end of a conversation. */
  async note(jid: string, note: NewNote): Promise<void> {
    const planned = await this.planNote(jid, note);
    await this.parts.store.db.write(planned.writes);
    planned.apply();
  }

  /** Prepares a note for storing in a transaction with other things. */
  planNote(jid: string, note: NewNote): Promise<Planned> {
    const { store, now, own } = this.parts;
    const message: NewMessage = {
      id: crypto.randomUUID(),
      conversation: jid,
      isOwn: false,
      sender: own,
      at: now(),
      content: { jid, ...note, kind: 'note' },
      confidentiality: store.conversation(jid).confidentiality,
    };
    return store.planAdd(message, store.nextOrder());
  }

  #messageOf(
    envelope: Envelope,
    arrival: Arrival,
    content: StoredContent,
    confidentiality: Confidentiality,
  ): NewMessage {
    // What this device cannot open was read, or will be, on another.
    const isForOthers = content.kind === 'unreadable' && content.reason === 'not-for-this-device';
    return {
      id: crypto.randomUUID(),
      conversation: envelope.peer,
      ...(envelope.stanzaId && { stanzaId: envelope.stanzaId }),
      ...(envelope.id && { wireId: envelope.id }),
      ...(envelope.originId && { originId: envelope.originId }),
      isOwn: envelope.isOwn,
      sender: envelope.from,
      at: envelope.at ?? this.parts.now(),
      content,
      confidentiality,
      ...(envelope.isOwn && { state: 'sent' as const }),
      ...(!envelope.isOwn && arrival.kind === 'recent' && !isForOthers && { isUnread: true }),
      ...(envelope.isMarkable && { isMarkable: true }),
    };
  }

  #orderOf(arrival: Arrival): number {
    return arrival.kind === 'older' ? arrival.order : this.parts.store.nextOrder();
  }
}

/** A message as one of a device that nothing is decided about, or, without a key, as one like all others. */
function withKey<T extends Pick<MessageRecord, 'uncheckedKey'>>(message: T, key: string | null): T {
  const { uncheckedKey: _, ...rest } = message;
  return (key === null ? rest : { ...rest, uncheckedKey: key }) as T;
}
