import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff';
import { ManualClock } from './clock';
import { discover, readHostMeta } from './discovery';
import { bareOf, domainOf, localOf, parseAddress, resourceOf } from './jid';
import { idOf, SmMemory } from './sm';

describe('Backoff', () => {
  it('doubles its ceiling up to the cap, and jitters over the whole of it', () => {
    const highest = new Backoff(() => 0.999999, 500, 60_000);
    const waits = Array.from({ length: 9 }, () => highest.next());
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(new Backoff(() => 0).next()).toBe(0);
  });

  it('begins again after a connection', () => {
    const backoff = new Backoff(() => 0.5);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
});

describe('addresses', () => {
  it('takes them apart', () => {
    expect(bareOf('a@b/c/d')).toBe('a@b');
    expect(resourceOf('a@b/c/d')).toBe('c/d');
    expect(localOf('b')).toBe('');
    expect(domainOf('a@b/c')).toBe('b');
  });

  it.each([
    [' Alice ', 'alice@home'],
    ['bob@Example.ORG', 'bob@example.org'],
    ['a b', null],
    ['a@b@c', null],
    ['', null],
    ['a/b', null],
  ])('reads %j as %s', (typed, expected) => {
    expect(parseAddress(typed, 'home')).toBe(expected);
  });
});

describe('discovery', () => {
  const fallback = { url: 'wss://talk.example/xmpp', domain: 'talk.example' };
  const link = (href: string) => ({ rel: 'urn:xmpp:alt-connections:websocket', href });

  it('takes address and domain from the document', () => {
    const document = { links: [link('wss://x/ws')], properties: { 'urn:parley:domain': 'example.org' } };
    expect(readHostMeta(document, fallback)).toEqual({ url: 'wss://x/ws', domain: 'example.org' });
  });

  it('never goes from an encrypted page to an unencrypted connection', () => {
    expect(readHostMeta({ links: [link('ws://x/ws')] }, fallback)).toEqual(fallback);
  });

  it.each([null, [], { links: 'x', properties: 3 }, { properties: { 'urn:parley:domain': '<' } }])(
    'falls back on %j',
    (document) => {
      expect(readHostMeta(document, fallback)).toEqual(fallback);
    },
  );

  it('falls back when the document cannot be had', async () => {
    const fails = () => Promise.reject(new TypeError('offline'));
    const { signal } = new AbortController();
    expect(await discover('http://localhost:8080', signal, fails)).toEqual({
      url: 'ws://localhost:8080/xmpp',
      domain: 'localhost',
    });
  });
});

describe('SmMemory', () => {
  const queued = (id: string) => ({ name: 'message', stanza: `<message to="x" id="${id}"/>`, queuedAt: 0 });
  const state = (ids: readonly ReturnType<typeof queued>[], enabled = true) =>
    ({ enabled, unacked: [...ids] }) as unknown as Parameters<SmMemory['save']>[1];

  it('tells what was acknowledged, in order', () => {
    const acked: string[] = [];
    const memory = new SmMemory((ids) => acked.push(...ids));
    const [a, b, c] = [queued('a'), queued('b'), queued('c')];
    memory.save('', state([a, b, c]));
    memory.save('', state([c]));
    expect(acked).toEqual(['a', 'b']);
    expect(memory.unackedCount).toBe(1);
  });

  it('takes neither a lost session nor a new one for an acknowledgement', () => {
    const acked: string[] = [];
    const memory = new SmMemory((ids) => acked.push(...ids));
    memory.save('', state([queued('a')]));
    memory.save('', state([], false));
    memory.save('', state([queued('b')]));
    memory.clear();
    memory.save('', state([]));
    expect(acked).toEqual([]);
  });

  it('reads the id of the stanza itself only', () => {
    expect(idOf('<message id="a"><x id="b"/></message>')).toBe('a');
    expect(idOf('<message><x id="b"/></message>')).toBeNull();
  });
});

describe('ManualClock', () => {
  it('runs tasks when they are due, unless they were called off', () => {
    const clock = new ManualClock(0);
    const ran: string[] = [];
    clock.after(20, () => ran.push('b'));
    clock.after(10, () => ran.push('a'));
    clock.after(5, () => ran.push('never'))();
    clock.advance(15);
    expect(ran).toEqual(['a']);
    clock.advance(5);
    expect(ran).toEqual(['a', 'b']);
  });
});
