/** What receipts and markers do to messages. */
import type { SendState } from '../model';
import type { MessageRecord } from './records';

const RANK: Readonly<Record<SendState, number>> = {
  waiting: 0,
  sending: 1,
  failed: 1,
  sent: 2,
  delivered: 3,
  read: 4,
};

/**
 * Raises the state of an own message. It never falls: a receipt that comes after the marker tells nothing new.
 *
 * @returns null when nothing changes.
 */
export function raised(record: MessageRecord, state: 'delivered' | 'read'): MessageRecord | null {
  if (!record.isOwn || !record.state || RANK[record.state] >= RANK[state]) {
    return null;
  }
  const { waitingFor: _, failure: __, ...rest } = record;
  return { ...rest, state };
}

/** Records that a voice message was played: by the other side if it is our own, by us otherwise. */
export function heard(record: MessageRecord): MessageRecord | null {
  if (record.content.kind !== 'voice' || record.content.isHeard) {
    return null;
  }
  const { isUnread: _, ...rest } = record;
  const played: MessageRecord = { ...rest, content: { ...record.content, isHeard: true } };
  return record.isOwn ? (raised(played, 'read') ?? played) : played;
}

/** The message that a mark names: of the right conversation, and written by the side that the mark is not from. */
export function markedMessage(
  candidates: readonly MessageRecord[],
  conversation: string,
  isOwn: boolean,
): MessageRecord | undefined {
  return candidates.find((record) => record.conversation === conversation && record.isOwn === isOwn);
}
