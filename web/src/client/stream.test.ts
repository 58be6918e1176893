// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SmMemory } from './sm';
import { openStream, type StreamEnd } from './stream';

const FEATURES =
  '<features xmlns="http://etherx.jabber.org/streams"><mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl">' +
  '<mechanism>SCRAM-SHA-256</mechanism></mechanisms></features>';

/** What stands between Strophe and the network. */
class FakeSocket {
  static readonly CLOSED = 3;
  readyState = 1;
  readonly sent: string[] = [];
  onopen: () => void = () => undefined;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor() {
    sockets.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.readyState = FakeSocket.CLOSED;
  }

  say(data: string): void {
    this.onmessage?.({ data });
  }

  /** Opens the stream up to the challenge of SCRAM, whose answer takes its time. */
  challenge(): void {
    this.onopen();
    this.say('<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0"/>');
    this.say(FEATURES);
    const first = atob(/<auth[^>]*>([^<]*)</i.exec(this.sent.at(-1) ?? '')?.[1] ?? '');
    const challenge = btoa(`r=${/r=(.*)$/.exec(first)?.[1]}server,s=${btoa('salt')},i=4096`);
    this.say(`<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl">${challenge}</challenge>`);
  }
}

// Strophe reads the names of attributes from where happy-dom does not have them.
Object.defineProperty(Attr.prototype, 'nodeName', {
  get(this: Attr) {
    return this.name;
  },
});

const CREDENTIALS = { kind: 'device', jid: 'me@home', resource: 'r', secret: 's' } as const;
const RealSocket = globalThis.WebSocket;
let sockets: FakeSocket[];
let ends: StreamEnd[];
/** Errors that nobody caught. */
let failures: unknown[];
const onFailure = (error: unknown) => void failures.push(error);

function open() {
  return openStream('ws://home/xmpp', CREDENTIALS, new SmMemory(() => undefined), {
    onOpen: () => undefined,
    onStanza: () => undefined,
    onTraffic: () => undefined,
    onEnd: (end) => ends.push(end),
  });
}

/** Waits until a condition holds; keys are derived in their own time. */
async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) {
      throw new Error('it never came to that');
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  sockets = [];
  ends = [];
  failures = [];
  globalThis.WebSocket = FakeSocket as unknown as typeof WebSocket;
  process.on('unhandledRejection', onFailure);
});

afterEach(() => {
  process.off('unhandledRejection', onFailure);
  globalThis.WebSocket = RealSocket;
});

describe('a line that is cut while the password is being proven', () => {
  it('gets no answer, and is over once', async () => {
    const stream = open();
    const [socket] = sockets as [FakeSocket];
    socket.challenge();
    const sent = socket.sent.length;
    stream.drop();
    // The next line takes as long, and begins later: when its answer is there, the first has been thought out, too.
    open();
    const second = sockets[1] as FakeSocket;
    second.challenge();
    await until(() => second.sent.some((text) => /^<response/i.test(text)));
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
    expect(socket.sent).toHaveLength(sent);
    expect(ends).toEqual([{ kind: 'network' }]);
  });
});
