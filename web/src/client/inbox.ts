/** What arrives: each message once, opened, in the order of the archive; receipts and markers where they belong. */
import type { Confidentiality, NoteContent } from '../model';
import { heard, markedMessage, raised } from './marks';
import type { Outbox } from './outbox';
import type { MessageRecord, StoredContent } from './records';
import type { Sealing } from './sealing';
import { buildReceipt, type Envelope, failureOf } from './stanzas';
import type { NewMessage, Planned, Store } from './store';
import { contentOf } from './voice';

export interface InboxParts {
  readonly own: string;
  readonly store: Store;
  readonly outbox: Pick<Outbox, 'onArrived' | 'onRefused' | 'enqueueControl'>;
  readonly sealing: Pick<Sealing, 'unseal' | 'onEvent'>;
  readonly now: () => number;
  /** Whether the person lets this address know when the app is there. */
  readonly isContact: (jid: string) => boolean;
  readonly onStored: (record: MessageRecord) => void;
}

/**
 * Where a message comes from in time: `recent` is new to us (it arrived, or waited in the archive), `older` is history
 * that the person scrolls back to.
 */
export type Arrival = { readonly kind: 'recent' } | { readonly kind: 'older'; readonly order: number };

export const RECENT: Arrival = { kind: 'recent' };

/** A receipt for a message older than this would tell nobody anything. */
const RECEIPT_AGE_MS = 14 * 24 * 3600_000;

export class Inbox {
  constructor(private readonly parts: InboxParts) {}

  /** Takes one message. To be called for one at a time. */
  async take(envelope: Envelope, arrival: Arrival): Promise<void> {
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
      await this.parts.outbox.onRefused(message, failureOf(envelope.error.condition));
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
      await store.update(twin.id, (record) => ({ ...record, stanzaId }));
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
    const outcome = await sealing.unseal(envelope, sealed, async (text) => {
      await this.#noteClass(envelope, arrival, 'sealed');
      const message = this.#messageOf(envelope, arrival, contentOf(text), 'sealed');
      opened.planned = await store.planAdd(message, this.#orderOf(arrival));
      return opened.planned.writes;
    });
    if (opened.planned && outcome.kind === 'opened') {
      opened.planned.apply();
      await this.#afterAdd(envelope, arrival, opened.planned.record);
    } else if (outcome.kind === 'unreadable' && sealed.payload) {
      await this.#add(envelope, arrival, { kind: 'unreadable', reason: outcome.reason }, 'sealed');
    }
  }

  async #add(
    envelope: Envelope,
    arrival: Arrival,
    content: StoredContent,
    confidentiality: Confidentiality,
  ): Promise<void> {
    const message = this.#messageOf(envelope, arrival, content, confidentiality);
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
    if (envelope.wantsReceipt && envelope.id && isFresh && isOpened && this.parts.isContact(envelope.from)) {
      const id = crypto.randomUUID();
      await this.parts.outbox.enqueueControl(envelope.from, id, buildReceipt(envelope.from, id, envelope.id));
    }
  }

  /** Says in the thread that from here on other machines can read what comes, or no longer. */
  async #noteClass(envelope: Envelope, arrival: Arrival, confidentiality: Confidentiality): Promise<void> {
    if (arrival.kind === 'older') {
      return;
    }
    const last = this.parts.store.summaries.value.get(envelope.peer)?.lastMessage;
    if (!last && confidentiality === 'sealed') {
      await this.note(envelope.peer, { note: 'first-contact' });
    } else if ((last?.confidentiality ?? 'sealed') !== confidentiality) {
      await this.note(envelope.peer, { note: 'class-changed', confidentiality });
    }
  }

  /** Puts a note at the end of a conversation. */
  async note(jid: string, note: Omit<NoteContent, 'kind' | 'jid'> & { readonly jid?: string }): Promise<void> {
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
    await store.add(message, store.nextOrder());
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
