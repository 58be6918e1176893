import { expect, test } from 'vitest';
import type { Content, Message } from '../../model';
import { rowsOf } from './rows';

const noon = new Date(2026, 4, 4, 12, 0, 0).getTime();
const minute = 60_000;

function message(id: string, minutes: number, sender = 'mara', content: Content = { kind: 'text', text: id }): Message {
  return {
    id,
    conversation: 'mara',
    isOwn: sender === 'me',
    sender,
    at: noon + minutes * minute,
    content,
    confidentiality: 'sealed',
  };
}

/** The rows as a line of words: day, unread, note, id:place. */
function drawn(messages: Message[], unread: string | null = null, start = 0): string {
  return rowsOf(messages, start, messages.length, unread)
    .map((row) => (row.kind === 'bubble' ? `${row.key}:${row.place}` : row.kind))
    .join(' ');
}

test('bubbles of one person in the same or the next minute belong together', () => {
  const messages = [message('a', 0), message('b', 0.5), message('c', 1.2), message('d', 4), message('e', 4, 'me')];
  expect(drawn(messages)).toBe('day a:first b:middle c:last d:single e:single');
});

test('a note, a new day and the unread line part a group', () => {
  const note: Content = { kind: 'note', note: 'new-device', jid: 'mara' };
  expect(drawn([message('a', 0), message('n', 0, 'mara', note), message('b', 0)])).toBe('day a:single note b:single');
  expect(drawn([message('a', 719.5), message('b', 720)])).toBe('day a:single day b:single');
  expect(drawn([message('a', 0), message('b', 0), message('c', 0)], 'b')).toBe('day a:single unread b:first c:last');
});

test('what is drawn of a long thread knows what stands before it', () => {
  const messages = [message('a', 0), message('b', 0), message('c', 0)];
  expect(drawn(messages, null, 1)).toBe('b:middle c:last');
});
