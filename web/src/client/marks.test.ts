import { describe, expect, it } from 'vitest';
import type { SendState } from '../model';
import { heard, markedMessage, raised } from './marks';
import { messageRecord } from './testing/records';

describe('raised', () => {
  it.each([
    ['sent', 'delivered', 'delivered'],
    ['sent', 'read', 'read'],
    ['delivered', 'read', 'read'],
    ['sending', 'delivered', 'delivered'],
    ['failed', 'read', 'read'],
    ['read', 'delivered', null],
    ['delivered', 'delivered', null],
  ] as const)('%s and a mark of %s', (before, mark, after) => {
    const record = messageRecord({ id: 'm', isOwn: true, state: before as SendState });
    expect(raised(record, mark)?.state ?? null).toBe(after);
  });

  it('forgets why the message failed', () => {
    const record = messageRecord({ id: 'm', isOwn: true, state: 'failed', failure: 'unreachable' });
    expect(raised(record, 'delivered')).not.toHaveProperty('failure');
  });

  it('leaves what others wrote', () => {
    expect(raised(messageRecord({ id: 'm' }), 'read')).toBeNull();
  });
});

describe('heard', () => {
  const voice = {
    kind: 'voice',
    url: 'u',
    mediaType: 'audio/ogg',
    sizeBytes: 1,
    durationMs: 1,
    waveform: [],
    isHeard: false,
    positionMs: 0,
  } as const;

  it('makes an own message read, too', () => {
    const record = heard(messageRecord({ id: 'm', isOwn: true, state: 'sent', content: voice }));
    expect(record).toMatchObject({ state: 'read', content: { isHeard: true } });
  });

  it('makes theirs read', () => {
    const record = heard(messageRecord({ id: 'm', isUnread: true, content: voice }));
    expect(record).not.toHaveProperty('isUnread');
  });

  it('says nothing about text, or twice', () => {
    expect(heard(messageRecord({ id: 'm' }))).toBeNull();
    expect(heard(messageRecord({ id: 'm', content: { ...voice, isHeard: true } }))).toBeNull();
  });
});

it('a mark finds the message of its conversation and side only', () => {
  const mine = messageRecord({ id: 'a', wireId: 'x', isOwn: true });
  const theirs = messageRecord({ id: 'b', wireId: 'x' });
  const elsewhere = messageRecord({ id: 'c', wireId: 'x', isOwn: true, conversation: 'eve@home' });
  expect(markedMessage([elsewhere, theirs, mine], 'bob@home', true)).toBe(mine);
  expect(markedMessage([mine], 'bob@home', false)).toBeUndefined();
});
