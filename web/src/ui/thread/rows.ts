import { startOfDay } from '../../i18n/format';
import type { Message } from '../../model';

/** Where a bubble stands among those of the same person. */
export type Place = 'single' | 'first' | 'middle' | 'last';

export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly at: number }
  | { readonly kind: 'unread'; readonly key: string }
  | { readonly kind: 'note'; readonly key: string; readonly message: Message }
  | { readonly kind: 'bubble'; readonly key: string; readonly message: Message; readonly place: Place };

const minuteMs = 60_000;

/** Whether two messages in a row belong to one group: same person, same day, written in the same or the next minute. */
export function isGrouped(before: Message | undefined, after: Message | undefined): boolean {
  if (!before || !after || before.content.kind === 'note' || after.content.kind === 'note') return false;
  if (before.sender !== after.sender || startOfDay(before.at) !== startOfDay(after.at)) return false;
  return Math.floor(after.at / minuteMs) - Math.floor(before.at / minuteMs) <= 1;
}

/**
 * What the thread draws for `messages[start]` up to, not including, `messages[end]`: bubbles with their place, notes, a
 * line for each new day and one above `firstUnread`.
 */
export function rowsOf(messages: readonly Message[], start: number, end: number, firstUnread: string | null): Row[] {
  const rows: Row[] = [];
  for (let index = start; index < end; index += 1) {
    const message = messages[index];
    if (!message) continue;
    const before = messages[index - 1];
    if (!before || startOfDay(before.at) !== startOfDay(message.at)) {
      rows.push({ kind: 'day', key: `day-${message.id}`, at: message.at });
    }
    if (message.id === firstUnread) rows.push({ kind: 'unread', key: 'unread' });
    rows.push(rowOf(message, before, messages[index + 1], firstUnread));
  }
  return rows;
}

function rowOf(message: Message, before: Message | undefined, after: Message | undefined, unread: string | null): Row {
  if (message.content.kind === 'note') return { kind: 'note', key: message.id, message };
  const isJoined = message.id !== unread && isGrouped(before, message);
  const isFollowed = after?.id !== unread && isGrouped(message, after);
  const place = isJoined ? (isFollowed ? 'middle' : 'last') : isFollowed ? 'first' : 'single';
  return { kind: 'bubble', key: message.id, message, place };
}
