import fc from 'fast-check';
import { expect, test } from 'vitest';
import { barCount, barsOf, loudnessOf, rms, rmsOf } from './waveform';

test('silence and nothing are flat', () => {
  expect(barsOf([])).toEqual(new Array(barCount).fill(0));
  expect(barsOf(new Array(500).fill(0))).toEqual(new Array(barCount).fill(0));
});

test('a loud second half stands above a quiet first half', () => {
  const bars = barsOf([...new Array(50).fill(0.01), ...new Array(50).fill(0.3)], 10);
  expect(Math.max(...bars.slice(0, 5))).toBeLessThan(0.3);
  expect(Math.min(...bars.slice(5))).toBeGreaterThan(0.9);
});

test('always as many bars as asked for, each from 0 to 1', () => {
  const levels = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 300 });
  fc.assert(
    fc.property(levels, fc.integer({ min: 1, max: 60 }), (given, count) => {
      const bars = barsOf(given, count);
      expect(bars).toHaveLength(count);
      for (const bar of bars) expect(bar >= 0 && bar <= 1).toBe(true);
    }),
  );
});

test('the energy of a sine and the windows of a run', () => {
  const sine = Float32Array.from({ length: 4800 }, (_, index) => Math.sin((index / 48) * 2 * Math.PI));
  expect(rms(sine)).toBeCloseTo(Math.SQRT1_2, 3);
  expect(rmsOf(sine, 1000)).toHaveLength(5);
  expect(loudnessOf(0)).toBe(0);
  expect(loudnessOf(1)).toBe(1);
});
