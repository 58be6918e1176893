import { beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionState, SignInError } from '../model';
import { ManualClock } from './clock';
import { OfflineError, StanzaError } from './errors';
import { Link } from './link';
import type { StreamEvents } from './stream';
import { serialize, type XmlNode, x } from './xml';

const CREDENTIALS = { kind: 'device', jid: 'me@home', resource: 'r', secret: 's' } as const;
const CLIENT = 'jabber:client';

class FakeStream {
  readonly sent: string[] = [];
  acksAsked = 0;
  isDropped = false;
  isClosed = false;

  constructor(readonly events: StreamEvents) {}

  send(stanza: XmlNode | string): void {
    this.sent.push(typeof stanza === 'string' ? stanza : serialize(stanza));
  }

  requestAck(): void {
    this.acksAsked += 1;
  }

  drop(): void {
    this.isDropped = true;
    this.events.onEnd({ kind: 'network' });
  }

  close(): void {
    this.isClosed = true;
  }

  open(isResumed = false): void {
    this.events.onOpen(isResumed, 'me@home/r');
  }

  /** Id of the last question that was sent. */
  get lastId(): string {
    return /id="([^"]+)"/.exec(this.sent.at(-1) ?? '')?.[1] ?? '';
  }
}

let clock: ManualClock;
let streams: FakeStream[];
let states: ConnectionState[];
let opened: boolean[];
let refused: SignInError[];
/** How many states were told before each. */
let cutOffs: number[];
let received: XmlNode[];
let link: Link;
let locate: (signal: AbortSignal) => Promise<string>;

beforeEach(() => {
  clock = new ManualClock();
  streams = [];
  states = [];
  opened = [];
  refused = [];
  cutOffs = [];
  received = [];
  locate = async () => 'ws://home/xmpp';
  link = new Link(
    {
      clock,
      random: () => 0.5,
      openStream: (_url, _credentials, _sm, events) => {
        const stream = new FakeStream(events);
        streams.push(stream);
        return stream;
      },
      locate: (signal) => locate(signal),
    },
    {
      onState: (state) => states.push(state),
      onOpen: (isResumed) => opened.push(isResumed),
      onStanza: (stanza) => received.push(stanza),
      onAcked: () => undefined,
      onCutOff: () => void cutOffs.push(states.length),
      onRefused: (error) => refused.push(error),
    },
  );
});

/** Lets the promise of `locate` run its course. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function online(): Promise<FakeStream> {
  link.start(CREDENTIALS);
  await settle();
  const stream = streams.at(-1) as FakeStream;
  stream.open();
  return stream;
}

describe('connecting', () => {
  it('comes back after a cut, and says when it will try', async () => {
    const stream = await online();
    stream.events.onEnd({ kind: 'network' });
    expect(states.at(-1)).toEqual({ kind: 'waiting', retryAt: clock.now() + 250, reason: 'network' });
    clock.advance(250);
    await settle();
    expect(streams).toHaveLength(2);
    streams[1]?.open(true);
    expect(opened).toEqual([false, true]);
    expect(states.at(-1)).toEqual({ kind: 'online' });
  });

  it('tries at once when the network or the person is back', async () => {
    const stream = await online();
    stream.events.onEnd({ kind: 'network' });
    link.wake();
    await settle();
    expect(streams).toHaveLength(2);
    clock.advance(1_000);
    await settle();
    expect(streams, 'the planned try is called off').toHaveLength(2);
  });

  it('hears nothing of a stream that it gave up', async () => {
    const stream = await online();
    stream.events.onEnd({ kind: 'network' });
    link.wake();
    await settle();
    stream.events.onStanza(x(CLIENT, 'message'));
    expect(received).toEqual([]);
  });

  it('gives up on a line that does not open', async () => {
    link.start(CREDENTIALS);
    await settle();
    clock.advance(20_000);
    expect(streams[0]?.isDropped).toBe(true);
    expect(states.at(-1)?.kind).toBe('waiting');
  });

  it('does not wait for ever for the address', async () => {
    locate = (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
    link.start(CREDENTIALS);
    clock.advance(8_000);
    await settle();
    expect(states.at(-1)?.kind).toBe('waiting');
    locate = async () => 'ws://home/xmpp';
    clock.advance(250);
    await settle();
    expect(streams).toHaveLength(1);
  });

  it('connects to the address that was found at the last moment', async () => {
    locate = (signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('ws://home/fallback')));
    link.start(CREDENTIALS);
    clock.advance(8_000);
    await settle();
    streams[0]?.open();
    expect(states.at(-1)).toEqual({ kind: 'online' });
  });

  it('spares a server that accepts and drops at once', async () => {
    const waits: number[] = [];
    await online();
    for (let count = 0; count < 4; count += 1) {
      streams.at(-1)?.open();
      clock.advance(1_000);
      streams.at(-1)?.events.onEnd({ kind: 'network' });
      const state = states.at(-1);
      waits.push(state?.kind === 'waiting' ? state.retryAt - clock.now() : Number.NaN);
      clock.advance(waits.at(-1) ?? 0);
      await settle();
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000]);
    streams.at(-1)?.open();
    clock.advance(30_000);
    streams.at(-1)?.events.onEnd({ kind: 'network' });
    expect(states.at(-1)).toMatchObject({ retryAt: clock.now() + 250 });
  });

  it.each([
    [{ kind: 'refused', condition: 'not-authorized', details: [] }, 'signed-out-elsewhere'],
    [{ kind: 'refused', condition: 'account-disabled', details: [] }, 'suspended'],
  ] as const)('ends for good with %j', async (end, expected) => {
    const stream = await online();
    stream.events.onEnd(end);
    expect(refused).toEqual([expected]);
    clock.advance(600_000);
    await settle();
    expect(streams).toHaveLength(1);
  });

  it('tells that it was cut off for what it sent, before it says that it waits', async () => {
    const stream = await online();
    const before = states.length;
    stream.events.onEnd({ kind: 'stream-error', condition: 'policy-violation' });
    expect(cutOffs).toEqual([before]);
    expect(states.at(-1)).toMatchObject({ kind: 'waiting', reason: 'throttled' });
  });

  it('asks again before it believes that it is signed out', async () => {
    const stream = await online();
    stream.events.onEnd({ kind: 'stream-error', condition: 'not-authorized' });
    expect(refused).toEqual([]);
    clock.advance(250);
    await settle();
    streams[1]?.events.onEnd({ kind: 'refused', condition: 'account-disabled', details: [] });
    expect(refused).toEqual(['suspended']);
  });

  it('waits and tries again when it is throttled', async () => {
    const stream = await online();
    stream.events.onEnd({ kind: 'refused', condition: 'temporary-auth-failure', details: [] });
    expect(refused).toEqual([]);
    expect(states.at(-1)).toMatchObject({ kind: 'waiting', reason: 'throttled' });
  });

  it('tells the first sign-in why it failed, and does not try again', async () => {
    const attempt = link.open({ ...CREDENTIALS, kind: 'password' });
    await settle();
    streams[0]?.events.onEnd({ kind: 'refused', condition: 'not-authorized', details: [] });
    await expect(attempt).rejects.toMatchObject({ code: 'wrong-credentials' });
    clock.advance(600_000);
    await settle();
    expect(streams).toHaveLength(1);
  });
});

describe('stopping', () => {
  it('ends a sign-in that is under way', async () => {
    const attempt = link.open({ ...CREDENTIALS, kind: 'password' });
    await settle();
    link.stop();
    await expect(attempt).rejects.toMatchObject({ code: 'no-connection' });
  });
});

describe('a dead line', () => {
  it('is noticed within seconds when the person comes back', async () => {
    const stream = await online();
    link.wake();
    clock.advance(4_000);
    expect(stream.isDropped).toBe(true);
  });

  it('is noticed when nothing acknowledges what was sent', async () => {
    const stream = await online();
    link.send(x(CLIENT, 'message'));
    clock.advance(0);
    expect(stream.acksAsked).toBe(1);
    clock.advance(12_000);
    expect(stream.isDropped).toBe(true);
  });

  it('is not taken for dead while it speaks', async () => {
    const stream = await online();
    link.wake();
    clock.advance(3_000);
    stream.events.onTraffic();
    clock.advance(10_000);
    expect(stream.isDropped).toBe(false);
  });

  it('is asked for a sign of life when it is idle', async () => {
    const stream = await online();
    clock.advance(60_000);
    expect(stream.sent.at(-1)).toContain('urn:xmpp:ping');
    clock.advance(12_000);
    expect(stream.isDropped).toBe(true);
  });
});

describe('questions', () => {
  const question = x('q', 'query');
  const answer = (id: string, from?: string, type = 'result') => x(CLIENT, 'iq', { type, id, from });

  it('get their answer', async () => {
    const stream = await online();
    const asked = link.request('get', question, 'you@home');
    stream.events.onStanza(answer(stream.lastId, 'you@home'));
    await expect(asked).resolves.toMatchObject({ name: 'iq' });
  });

  it('are not answered by somebody else', async () => {
    const stream = await online();
    const asked = link.request('get', question, 'you@home');
    stream.events.onStanza(answer(stream.lastId, 'eve@home'));
    clock.advance(30_000);
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
  });

  it.each([undefined, 'me@home', 'me@home/r', 'home'])('to our own account may be answered by %s', async (from) => {
    const stream = await online();
    const asked = link.request('get', question);
    stream.events.onStanza(answer(stream.lastId, from));
    await expect(asked).resolves.toBeDefined();
  });

  it('throw the condition of an error', async () => {
    const stream = await online();
    const asked = link.request('get', question);
    const error = x(CLIENT, 'error', { type: 'cancel' }, x('urn:ietf:params:xml:ns:xmpp-stanzas', 'item-not-found'));
    stream.events.onStanza(x(CLIENT, 'iq', { type: 'error', id: stream.lastId }, error));
    await expect(asked).rejects.toEqual(new StanzaError('item-not-found', 'cancel'));
  });

  it('wait over a resumed cut, and fail with a lost session', async () => {
    const stream = await online();
    const first = link.request('get', question);
    const id = stream.lastId;
    stream.events.onEnd({ kind: 'network' });
    link.wake();
    await settle();
    streams[1]?.open(true);
    streams[1]?.events.onStanza(answer(id));
    await expect(first).resolves.toBeDefined();
    const second = link.request('get', question);
    streams[1]?.events.onEnd({ kind: 'network' });
    link.wake();
    await settle();
    streams[2]?.open(false);
    await expect(second).rejects.toEqual(new OfflineError('session-lost'));
  });

  it('of others are answered, or refused as the RFC says', async () => {
    const stream = await online();
    link.onIq('get', 'known', () => x('known', 'yes'));
    stream.events.onStanza(x(CLIENT, 'iq', { type: 'get', id: '1', from: 'you@home/x' }, x('known', 'q')));
    expect(stream.sent.at(-1)).toBe(
      '<iq xmlns="jabber:client" id="1" to="you@home/x" type="result"><yes xmlns="known"/></iq>',
    );
    stream.events.onStanza(x(CLIENT, 'iq', { type: 'get', id: '2', from: 'you@home/x' }, x('other', 'q')));
    expect(stream.sent.at(-1)).toContain('service-unavailable');
  });

  it('cannot be asked without a connection', async () => {
    await expect(link.request('get', question)).rejects.toEqual(new OfflineError('offline'));
    expect(() => link.send(question)).toThrow(OfflineError);
  });
});
