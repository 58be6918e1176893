// @vitest-environment happy-dom
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { find, fromElement, serialize, textOf, x } from './xml';

function reparse(text: string) {
  return fromElement(new DOMParser().parseFromString(text, 'text/xml').documentElement);
}

describe('serialize', () => {
  it('writes a namespace only where it changes', () => {
    const node = x('a', 'one', { k: 'v' }, x('a', 'two'), x('b', 'three', {}, 'text'));
    expect(serialize(node)).toBe('<one xmlns="a" k="v"><two/><three xmlns="b">text</three></one>');
  });

  it('leaves out what is undefined, null, false or empty', () => {
    expect(serialize(x('a', 'one', { k: undefined }, null, undefined, false, ''))).toBe('<one xmlns="a"/>');
  });

  it('survives a real parser', () => {
    const node = x('jabber:client', 'message', { to: 'a&b' }, x('jabber:client', 'body', {}, '<"\'>&amp;\r\n\t é 🎉'));
    expect(reparse(serialize(node))).toEqual(node);
  });

  it('never writes what XML cannot carry', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const written = serialize(x('n', 'e', { a: text }, text));
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the forbidden characters are the point
        expect(written).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/);
        expect(written.slice(1, -1)).not.toMatch(/<[^/e]/);
        expect(() => encodeURIComponent(written)).not.toThrow();
      }),
    );
  });
});

describe('find', () => {
  it('matches name and namespace', () => {
    const node = x('a', 'one', {}, x('b', 'two', {}, 'no'), x('a', 'two', {}, 'yes'));
    expect(textOf(find(node, 'a', 'two'))).toBe('yes');
    expect(find(node, 'c', 'two')).toBeUndefined();
    expect(find(undefined, 'c', 'two')).toBeUndefined();
  });
});
