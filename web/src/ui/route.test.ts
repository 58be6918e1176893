import { expect, test } from 'vitest';
import { fragmentOf, parentOf, parseRoute, type Route } from './route';

const routes: Route[] = [
  { name: 'chats' },
  { name: 'new' },
  { name: 'contacts' },
  { name: 'settings' },
  { name: 'thread', jid: 'mara@hospital.example' },
  { name: 'details', jid: 'a/b#c%@x.example' },
];

test.each(routes)('$name survives the address bar', (route) => {
  expect(parseRoute(fragmentOf(route))).toEqual(route);
});

test('anything unknown is the list', () => {
  for (const fragment of ['', '#', '#/nothing', '#/chat/', '#/chat/%E0%A4%A']) {
    expect(parseRoute(fragment)).toEqual({ name: 'chats' });
  }
});

test('up from the details is the thread', () => {
  expect(parentOf({ name: 'details', jid: 'a@b' })).toEqual({ name: 'thread', jid: 'a@b' });
});
