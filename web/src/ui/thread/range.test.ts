import fc from 'fast-check';
import { expect, test } from 'vitest';
import { follow, growDown, growUp, latestRange, mostRows, type Range, rangeAround } from './range';

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `m${from + index}`);

test('starts with the latest, or far enough back to show what is unread', () => {
  expect(latestRange(20)).toEqual({ start: 0, end: 20 });
  expect(latestRange(500)).toEqual({ start: 440, end: 500 });
  expect(rangeAround(500, -1)).toEqual({ start: 440, end: 500 });
  expect(rangeAround(500, 400)).toEqual({ start: 390, end: 500 });
  expect(rangeAround(5000, 100)).toEqual({ start: 90, end: 290 });
});

test('older messages in front move nothing', () => {
  expect(follow({ start: 10, end: 60 }, ids(50, 110), ids(0, 110), false)).toEqual({ start: 60, end: 110 });
});

test('newer messages are drawn when the end is', () => {
  expect(follow({ start: 0, end: 60 }, ids(0, 60), ids(0, 61), true)).toEqual({ start: 0, end: 61 });
  expect(follow({ start: 0, end: 40 }, ids(0, 60), ids(0, 61), false)).toEqual({ start: 0, end: 40 });
  expect(follow({ start: 0, end: mostRows }, ids(0, mostRows), ids(0, mostRows + 1), true)).toEqual({
    start: 1,
    end: mostRows + 1,
  });
});

test('a list that was replaced is shown from its end', () => {
  expect(follow({ start: 3, end: 10 }, ids(0, 10), ids(50, 55), false)).toEqual({ start: 0, end: 5 });
});

test('however one scrolls, at most so many are drawn and all are reachable', () => {
  const steps = fc.array(fc.boolean(), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), steps, (total, ups) => {
      let range: Range = latestRange(total);
      for (const isUp of ups) {
        range = isUp ? growUp(range) : growDown(range, total);
        expect(range.start >= 0 && range.end <= total && range.start < range.end).toBe(true);
        expect(range.end - range.start).toBeLessThanOrEqual(mostRows);
      }
      for (let count = 0; count < 80 && range.start > 0; count += 1) range = growUp(range);
      expect(range.start).toBe(0);
    }),
  );
});
