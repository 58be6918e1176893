import { expect, test } from 'vitest';
import { type GestureEvent, gestureTable, type Phase, releaseOf, slideOf, stepOf } from './gesture';

/** Plays events from idle; returns the phase, all effects and hints. */
function play(...events: GestureEvent[]) {
  let phase: Phase = 'idle';
  const effects: string[] = [];
  const hints: string[] = [];
  for (const event of events) {
    const step = stepOf(phase, event);
    if (!step) continue;
    phase = step.to;
    effects.push(...(step.effects ?? []));
    if (step.hint) hints.push(step.hint);
  }
  return { phase, effects, hints };
}

test.each<[string, GestureEvent[], Phase, string[]]>([
  ['hold and release sends', ['press', 'ready', 'release'], 'idle', ['open', 'begin', 'finish']],
  ['less than a second is thrown away', ['press', 'ready', 'short'], 'idle', ['open', 'begin', 'discard']],
  ['a tap locks', ['press', 'ready', 'tap'], 'locked', ['open', 'begin']],
  ['a tap before the microphone is open locks', ['press', 'tap', 'ready'], 'locked', ['open', 'begin']],
  ['sliding up locks', ['press', 'ready', 'slide-lock', 'release'], 'locked', ['open', 'begin']],
  ['sliding left deletes', ['press', 'ready', 'slide-cancel', 'expire'], 'idle', ['open', 'begin', 'pause', 'discard']],
  ['a permission question in between records nothing', ['press', 'leave', 'ready'], 'idle', ['open', 'discard']],
  ['a request nobody answers is made anew', ['press', 'leave', 'press', 'ready'], 'holding', ['open', 'open', 'begin']],
  ['refusal ends it', ['press', 'refused'], 'idle', ['open']],
  [
    'pause, go on, send',
    ['press', 'tap', 'ready', 'pause', 'resume', 'send'],
    'idle',
    ['open', 'begin', 'pause', 'resume', 'finish'],
  ],
  ['delete and undo keeps it', ['press', 'tap', 'ready', 'delete', 'undo'], 'paused', ['open', 'begin', 'pause']],
  ['leaving the thread pauses', ['press', 'tap', 'ready', 'leave'], 'paused', ['open', 'begin', 'pause']],
  ['the limit pauses', ['press', 'ready', 'limit'], 'paused', ['open', 'begin', 'pause']],
  [
    'a new press empties the bin',
    ['press', 'tap', 'ready', 'delete', 'press'],
    'opening',
    ['open', 'begin', 'pause', 'discard', 'open'],
  ],
])('%s', (_, events, phase, effects) => {
  expect(play(...events)).toMatchObject({ phase, effects });
});

test('nothing is sent without a release or "send"', () => {
  for (const [phase, steps] of Object.entries(gestureTable)) {
    for (const [event, step] of Object.entries(steps)) {
      if (step.effects?.includes('finish'))
        expect([phase, event].join()).toMatch(/^holding,release$|^(locked|paused),send$/u);
    }
  }
});

test('every phase but idle leads back to idle', () => {
  const reachesIdle = new Set<string>(['idle']);
  for (let round = 0; round < 8; round += 1) {
    for (const [phase, steps] of Object.entries(gestureTable)) {
      if (Object.values(steps).some((step) => reachesIdle.has(step.to))) reachesIdle.add(phase);
    }
  }
  expect([...reachesIdle].sort()).toEqual(Object.keys(gestureTable).sort());
});

test('a release means tap, too short, or send', () => {
  expect(releaseOf(299, 5000)).toBe('tap');
  expect(releaseOf(300, 999)).toBe('short');
  expect(releaseOf(1500, 1000)).toBe('release');
});

test('a slide counts in the direction it went further', () => {
  expect(slideOf(-95, -71)).toBeNull();
  expect(slideOf(-96, 0)).toBe('slide-cancel');
  expect(slideOf(0, -72)).toBe('slide-lock');
  expect(slideOf(-200, -80)).toBe('slide-cancel');
  expect(slideOf(-100, -200)).toBe('slide-lock');
  expect(slideOf(300, 300)).toBeNull();
});
