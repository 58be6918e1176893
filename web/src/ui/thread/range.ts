/**
 * Which part of a long thread is in the document. It grows by steps at the end one scrolls to and is cut at the other, so
 * that the document holds at most `mostRows` messages however long the thread is.
 */
export interface Range {
  /** Index of the first message drawn. */
  readonly start: number;
  /** Index behind the last message drawn. */
  readonly end: number;
}

export const firstRows = 60;
export const stepRows = 40;
export const mostRows = 200;

/** The latest messages. */
export function latestRange(total: number): Range {
  return { start: Math.max(0, total - firstRows), end: total };
}

/** The latest messages, and more if needed to show the one at `index` with some before it. */
export function rangeAround(total: number, index: number): Range {
  const latest = latestRange(total);
  if (index < 0 || index >= latest.start + 10) return latest;
  const start = Math.max(0, index - 10);
  return { start, end: Math.min(total, start + mostRows) };
}

/** One step towards older messages. */
export function growUp({ start, end }: Range): Range {
  const from = Math.max(0, start - stepRows);
  return { start: from, end: Math.min(end, from + mostRows) };
}

/** One step towards newer messages. */
export function growDown({ start, end }: Range, total: number): Range {
  const to = Math.min(total, end + stepRows);
  return { start: Math.max(start, to - mostRows), end: to };
}

/**
 * The same messages after the list changed: older ones may have come in front, newer ones behind.
 *
 * @param ids of the messages before and now
 * @param isAtEnd new messages are drawn at once, old ones dropped for them
 */
export function follow(range: Range, before: readonly string[], now: readonly string[], isAtEnd: boolean): Range {
  const anchor = before[range.start];
  const found = anchor === undefined ? -1 : indexNear(now, anchor, range.start, before.length);
  if (found < 0) return latestRange(now.length);
  const wasOpen = range.end >= before.length;
  const end = wasOpen ? now.length : Math.min(now.length, found + range.end - range.start);
  return { start: isAtEnd && wasOpen ? Math.max(found, end - mostRows) : found, end };
}

/** Where `id` is now: at the same place, or moved by as much as the list grew, else wherever it is found. */
function indexNear(ids: readonly string[], id: string, index: number, totalBefore: number): number {
  if (ids[index] === id) return index;
  const moved = index + ids.length - totalBefore;
  return ids[moved] === id ? moved : ids.indexOf(id);
}
