import { expect, test } from 'vitest';
import { completeAddress } from './chats/new-chat';
import { hueOf, initialsOf } from './identity';

test.each([
  ['Mara Klein', 'MK'],
  ['Ward 3', 'W3'],
  ['Dr. Amira van Said', 'DS'],
  ['theo', 'TH'],
  ['Élodie', 'ÉL'],
  ['', '?'],
])('%s: %s', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

test('a hue stays with its address', () => {
  expect(hueOf('mara@hospital.example')).toBe(hueOf('mara@hospital.example'));
  const hues = new Set(Array.from({ length: 200 }, (_, index) => hueOf(`person${index}@x.example`)));
  expect(hues.size).toBe(24);
});

test('addresses are completed and checked', () => {
  expect(completeAddress(' Bob ', 'alice@example.org')).toBe('bob@example.org');
  expect(completeAddress('bob@other.example', 'alice@example.org')).toBe('bob@other.example');
  for (const bad of ['', 'a b', 'a@', '@b', 'a@b@c/d', 'a"b'])
    expect(completeAddress(bad, 'alice@example.org')).toBeNull();
});
