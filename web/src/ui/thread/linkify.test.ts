import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linkify } from './linkify';

const links = (text: string) => linkify(text).flatMap((piece) => (piece.kind === 'link' ? [piece.href] : []));

test('finds addresses and leaves punctuation', () => {
  expect(links('See https://a.example/x?y=1. And (https://b.example/z)!')).toEqual([
    'https://a.example/x?y=1',
    'https://b.example/z',
  ]);
  expect(links('https://en.example/wiki/Wave_(sound).')).toEqual(['https://en.example/wiki/Wave_(sound)']);
});

test('nothing but web addresses becomes a link', () => {
  expect(links('javascript:alert(1) data:text/html,x file:///etc <a href="x">')).toEqual([]);
});

test('the pieces are the text', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('https://a.example', ' ', '(', ')', '.', 'x', '\n', '"')), (parts) => {
      const text = parts.join('');
      expect(
        linkify(text)
          .map((piece) => piece.text)
          .join(''),
      ).toBe(text);
    }),
  );
});
