import { expect, test } from 'vitest';
import { ManualClock } from '../../client/clock';
import { TypingTeller, withUnsent } from './composing';

function teller() {
  const clock = new ManualClock();
  const told: boolean[] = [];
  const typing = new TypingTeller(
    (isTyping) => told.push(isTyping),
    (ms, act) => clock.after(ms, act),
  );
  return { clock, told, typing };
}

test('typing is told with every key, so that it does not fade in a long text', () => {
  const { clock, told, typing } = teller();
  for (let second = 0; second < 40; second += 4) {
    typing.typed();
    clock.advance(4000);
  }
  expect(told).toEqual(new Array(10).fill(true));
});

test('that one stopped is told once, after a pause or at once', () => {
  const { clock, told, typing } = teller();
  typing.stopped();
  typing.typed();
  clock.advance(5000);
  typing.stopped();
  expect(told).toEqual([true, false]);
  typing.typed();
  typing.stopped();
  clock.advance(5000);
  expect(told).toEqual([true, false, true, false]);
});

test('what could not be sent comes back in front of what was typed meanwhile', () => {
  expect(withUnsent('Good morning', '')).toBe('Good morning');
  expect(withUnsent('Good morning', ' \n')).toBe('Good morning');
  expect(withUnsent('Good morning', 'are you there?')).toBe('Good morning\nare you there?');
});
