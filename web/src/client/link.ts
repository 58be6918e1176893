/** Keeps a connection: reconnects, resumes, notices dead lines, and matches answers to questions. */
import type { ConnectionState, SignInError } from '../model';
import { SignInFailure } from '../model';
import { type Credentials, signInErrorOf } from './auth';
import { Backoff } from './backoff';
import type { Clock } from './clock';
import { OfflineError, StanzaError } from './errors';
import { bareOf, domainOf } from './jid';
import { NS } from './ns';
import { SmMemory } from './sm';
import type { Stream, StreamEnd, StreamFactory } from './stream';
import { elements, find, type XmlNode, x } from './xml';

export interface LinkEvents {
  onState(state: ConnectionState): void;
  /** @param isResumed The session goes on: nothing was lost on either side. */
  onOpen(isResumed: boolean): void;
  /** Messages and presence, in their order. */
  onStanza(stanza: XmlNode): void;
  onAcked(ids: readonly string[]): void;
  /** The server ended the stream because of what was sent over it; the session is over with it. */
  onCutOff(): void;
  /** The server does not let us in any more; no further try is made. */
  onRefused(error: SignInError): void;
}

/** Answers a question; null for an answer without content. Throw `StanzaError` to refuse. */
export type IqHandler = (iq: XmlNode) => XmlNode | null;

export interface LinkOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly openStream: StreamFactory;
  /** Finds the WebSocket address, freshly for each try; has to settle soon when the signal aborts. */
  readonly locate: (signal: AbortSignal) => Promise<string>;
}

/** A server that does not say where to connect is soon connected to where it usually is. */
const LOCATE_DEADLINE_MS = 8_000;
const OPEN_DEADLINE_MS = 20_000;
/** A session that holds so long is a success. One that ends sooner counts as a failure: its server is in trouble. */
const HELD_MS = 30_000;
const REQUEST_DEADLINE_MS = 30_000;
const IDLE_MS = 60_000;
const ANSWER_DEADLINE_MS = 12_000;
/** When a person has just come back to the page, a dead line must show quickly. */
const QUICK_ANSWER_MS = 4_000;
const CONFLICT_WAIT_MS = 60_000;

interface Pending {
  readonly to: string | undefined;
  readonly resolve: (iq: XmlNode) => void;
  readonly reject: (error: Error) => void;
  readonly cancelDeadline: () => void;
}

type Phase = 'idle' | 'locating' | 'opening' | 'open' | 'waiting';

export class Link {
  readonly #sm: SmMemory;
  readonly #backoff: Backoff;
  readonly #pending = new Map<string, Pending>();
  readonly #iqHandlers = new Map<string, IqHandler>();
  #phase: Phase = 'idle';
  #credentials: Credentials | null = null;
  #stream: Stream | null = null;
  /** Tells the streams of former tries, whose last events come late, from the present one. */
  #attempt = 0;
  #first: { resolve: () => void; reject: (error: SignInFailure) => void } | null = null;
  #jid = '';
  #lastTrafficAt = 0;
  #isAckDue = false;
  #cancelRetry = () => {};
  #cancelIdle = () => {};
  #cancelDeadline = () => {};
  #cancelHeld = () => {};
  #cancelAnswer: (() => void) | null = null;

  constructor(
    private readonly options: LinkOptions,
    private readonly events: LinkEvents,
  ) {
    this.#sm = new SmMemory((ids) => events.onAcked(ids));
    this.#backoff = new Backoff(options.random);
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Full address of the session. */
  get jid(): string {
    return this.#jid;
  }

  /** One try; resolves when signed in, rejects with `SignInFailure` otherwise. From then on as `start`. */
  open(credentials: Credentials): Promise<void> {
    this.stop();
    this.#sm.clear();
    this.#credentials = credentials;
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      void this.#dial();
    });
  }

  /** Connects, and connects again whenever the line is lost, until `stop`. */
  start(credentials: Credentials): void {
    this.stop();
    this.#credentials = credentials;
    void this.#dial();
  }

  /** Takes the credentials for the next time; the present stream stays. */
  useCredentials(credentials: Credentials): void {
    this.#credentials = credentials;
  }

  /** Ends the session in good order. */
  stop(): void {
    this.#attempt += 1;
    this.#cancelTimers();
    this.#phase = 'idle';
    const stream = this.#stream;
    this.#stream = null;
    stream?.close();
    this.#sm.clear();
    this.#failPending('session-lost');
    this.#first?.reject(new SignInFailure('no-connection'));
    this.#first = null;
  }

  /** The network is back, or the person: try now, or see whether the line is alive. */
  wake(): void {
    if (this.#phase === 'waiting') {
      this.#cancelRetry();
      void this.#dial();
    } else if (this.#phase === 'open') {
      this.#probe(QUICK_ANSWER_MS);
    }
  }

  /**
   * Sends a stanza. It is lost only with the session: over a cut it is sent again.
   *
   * @throws OfflineError `offline`.
   */
  send(stanza: XmlNode | string): void {
    if (this.#phase !== 'open' || !this.#stream) {
      throw new OfflineError('offline');
    }
    this.#stream.send(stanza);
    this.#scheduleAck();
  }

  /** Sends if there is a connection; for what has no worth later. */
  sendIfOpen(stanza: XmlNode): void {
    if (this.#phase === 'open') {
      this.send(stanza);
    }
  }

  /**
   * Asks a question and waits for its answer.
   *
   * @param payload Content of the `iq`.
   * @throws OfflineError if there is no connection, no answer in time, or the session was lost meanwhile.
   * @throws StanzaError if the answer is an error.
   */
  request(type: 'get' | 'set', payload: XmlNode, to?: string): Promise<XmlNode> {
    if (this.#phase !== 'open') {
      return Promise.reject(new OfflineError('offline'));
    }
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const cancelDeadline = this.options.clock.after(REQUEST_DEADLINE_MS, () => {
        this.#pending.delete(id);
        reject(new OfflineError('timeout'));
      });
      this.#pending.set(id, { to, resolve, reject, cancelDeadline });
      this.send(x(NS.client, 'iq', { type, id, to }, payload));
    });
  }

  /** Answers questions whose content is this element. */
  onIq(type: 'get' | 'set', ns: string, handler: IqHandler): void {
    this.#iqHandlers.set(`${type} ${ns}`, handler);
  }

  async #dial(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#phase = 'locating';
    this.events.onState({ kind: 'connecting' });
    const url = await this.#locate();
    const credentials = this.#credentials;
    if (attempt !== this.#attempt || !credentials) {
      return;
    }
    if (url === null) {
      this.#onEnd({ kind: 'network' });
      return;
    }
    this.#phase = 'opening';
    const guard = <A extends unknown[]>(handler: (...args: A) => void) => {
      return (...args: A) => {
        if (attempt === this.#attempt) {
          handler(...args);
        }
      };
    };
    try {
      this.#stream = this.options.openStream(url, credentials, this.#sm, {
        onOpen: guard((isResumed, jid) => this.#onOpen(isResumed, jid)),
        onStanza: guard((stanza) => this.#onStanza(stanza)),
        onTraffic: guard(() => this.#onTraffic()),
        onEnd: guard((end) => this.#onEnd(end)),
      });
    } catch {
      this.#onEnd({ kind: 'network' });
      return;
    }
    this.#cancelDeadline = this.options.clock.after(OPEN_DEADLINE_MS, () => this.#stream?.drop());
  }

  /** Null when it is not to be found. */
  async #locate(): Promise<string | null> {
    const deadline = new AbortController();
    const cancel = this.options.clock.after(LOCATE_DEADLINE_MS, () => deadline.abort());
    this.#cancelDeadline = () => {
      cancel();
      deadline.abort();
    };
    try {
      return await this.options.locate(deadline.signal);
    } catch {
      return null;
    } finally {
      cancel();
    }
  }

  #onOpen(isResumed: boolean, jid: string): void {
    this.#cancelDeadline();
    this.#phase = 'open';
    this.#jid = jid;
    this.#cancelHeld = this.options.clock.after(HELD_MS, () => this.#backoff.reset());
    if (!isResumed) {
      // Answers to what was asked in the lost session never come.
      this.#failPending('session-lost');
    }
    this.#onTraffic();
    this.#watchIdle();
    this.#first?.resolve();
    this.#first = null;
    this.events.onState({ kind: 'online' });
    this.events.onOpen(isResumed);
  }

  #onTraffic(): void {
    this.#lastTrafficAt = this.options.clock.now();
    this.#stopExpecting();
  }

  #onStanza(stanza: XmlNode): void {
    if (stanza.name !== 'iq') {
      this.events.onStanza(stanza);
    } else if (stanza.attrs.type === 'get' || stanza.attrs.type === 'set') {
      this.#answer(stanza);
    } else {
      this.#settle(stanza);
    }
  }

  #settle(iq: XmlNode): void {
    const id = iq.attrs.id ?? '';
    const pending = this.#pending.get(id);
    if (!pending || !this.#isAnswerFrom(iq.attrs.from, pending.to)) {
      return;
    }
    this.#pending.delete(id);
    pending.cancelDeadline();
    if (iq.attrs.type === 'error') {
      pending.reject(stanzaErrorOf(iq));
    } else {
      pending.resolve(iq);
    }
  }

  // RFC 6120 section 8.1.2.1: what is asked without `to` is answered by the account, in the names it may bear.
  #isAnswerFrom(from: string | undefined, to: string | undefined): boolean {
    if (to !== undefined) {
      return from === to || (from === undefined && to === bareOf(this.#jid));
    }
    return from === undefined || [this.#jid, bareOf(this.#jid), domainOf(this.#jid)].includes(from);
  }

  #answer(iq: XmlNode): void {
    const { id, from, type } = iq.attrs;
    const payload = elements(iq)[0];
    const handler = payload && this.#iqHandlers.get(`${type} ${payload.ns}`);
    const address = { id, to: from };
    try {
      if (!handler) {
        throw new StanzaError('service-unavailable', 'cancel');
      }
      this.sendIfOpen(x(NS.client, 'iq', { ...address, type: 'result' }, handler(iq)));
    } catch (error) {
      const { condition, type: kind } = error instanceof StanzaError ? error : INTERNAL_ERROR;
      this.sendIfOpen(
        x(
          NS.client,
          'iq',
          { ...address, type: 'error' },
          x(NS.client, 'error', { type: kind }, x(NS.stanzas, condition)),
        ),
      );
    }
  }

  #scheduleAck(): void {
    if (this.#isAckDue) {
      return;
    }
    this.#isAckDue = true;
    this.options.clock.after(0, () => {
      this.#isAckDue = false;
      if (this.#phase === 'open') {
        this.#stream?.requestAck();
        this.#expectTraffic(ANSWER_DEADLINE_MS);
      }
    });
  }

  #watchIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.options.clock.after(IDLE_MS, () => {
      if (this.options.clock.now() - this.#lastTrafficAt >= IDLE_MS / 2) {
        this.#probe(ANSWER_DEADLINE_MS);
      }
      this.#watchIdle();
    });
  }

  #probe(deadlineMs: number): void {
    // The wait for an answer to an earlier question must not hide this shorter one.
    this.#stopExpecting();
    this.request('get', x(NS.ping, 'ping')).catch(() => undefined);
    this.#expectTraffic(deadlineMs);
  }

  #expectTraffic(deadlineMs: number): void {
    this.#cancelAnswer ??= this.options.clock.after(deadlineMs, () => this.#stream?.drop());
  }

  #stopExpecting(): void {
    this.#cancelAnswer?.();
    this.#cancelAnswer = null;
  }

  #onEnd(end: StreamEnd): void {
    this.#stream = null;
    this.#cancelTimers();
    const error = end.kind === 'refused' ? signInErrorOf(end.condition, end.details) : null;
    if (this.#first) {
      const { reject } = this.#first;
      this.#first = null;
      this.#phase = 'idle';
      this.#attempt += 1;
      reject(new SignInFailure(error ?? (end.kind === 'network' ? 'no-connection' : 'server-error')));
      return;
    }
    const final = finalErrorOf(error);
    if (final) {
      this.#phase = 'idle';
      this.#attempt += 1;
      this.#failPending('session-lost');
      this.events.onRefused(final);
      return;
    }
    this.#retryLater(end, error);
  }

  #retryLater(end: StreamEnd, error: SignInError | null): void {
    this.#phase = 'waiting';
    const isConflict = end.kind === 'stream-error' && end.condition === 'conflict';
    const waitMs = this.#backoff.next() + (isConflict ? CONFLICT_WAIT_MS : 0);
    if (end.kind === 'stream-error' && end.condition === 'policy-violation') {
      // Taken up again, the session would send the same again.
      this.#sm.clear();
      this.events.onCutOff();
    }
    const isThrottled = error === 'throttled' || (end.kind === 'stream-error' && THROTTLING.has(end.condition));
    this.events.onState({
      kind: 'waiting',
      retryAt: this.options.clock.now() + waitMs,
      reason: isThrottled ? 'throttled' : end.kind === 'network' ? 'network' : 'server',
    });
    this.#cancelRetry = this.options.clock.after(waitMs, () => void this.#dial());
  }

  #failPending(code: 'session-lost'): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { cancelDeadline, reject } of pending) {
      cancelDeadline();
      reject(new OfflineError(code));
    }
  }

  #cancelTimers(): void {
    this.#cancelRetry();
    this.#cancelIdle();
    this.#cancelDeadline();
    this.#cancelHeld();
    this.#stopExpecting();
  }
}

const THROTTLING = new Set(['policy-violation', 'resource-constraint']);

const INTERNAL_ERROR = { condition: 'internal-server-error', type: 'cancel' };

/**
 * What ends the session for good: a void credential, or a suspended account. A stream that the server ends does not say
 * which of them it is; the next try does.
 */
function finalErrorOf(error: SignInError | null): SignInError | null {
  if (error === 'wrong-credentials') {
    return 'signed-out-elsewhere';
  }
  return error === 'suspended' ? 'suspended' : null;
}

function stanzaErrorOf(iq: XmlNode): StanzaError {
  const error = find(iq, NS.client, 'error');
  const condition = elements(error).find((child) => child.ns === NS.stanzas && child.name !== 'text')?.name;
  return new StanzaError(condition ?? 'undefined-condition', error?.attrs.type ?? 'cancel');
}
