/**
 * One stream to the server, from the first byte to its end. Strophe does the framing, SASL, binding and the counting
 * of stream management (XEP-0198); this file makes one plain interface of it and is the only one that knows Strophe.
 */

import { Strophe } from 'strophe.js';
import { authenticationId, type Credentials, prepareSecret } from './auth';
import { NS } from './ns';
import { report } from './report';
import type { SmMemory } from './sm';
import { fromElement, serialize, type XmlNode } from './xml';

/** Why a stream ended. */
export type StreamEnd =
  | { readonly kind: 'network' }
  | { readonly kind: 'refused'; readonly condition: string; readonly details: readonly string[] }
  | { readonly kind: 'stream-error'; readonly condition: string };

export interface StreamEvents {
  /** Bound, or taken up again where the last stream was cut. */
  onOpen(isResumed: boolean, jid: string): void;
  onStanza(stanza: XmlNode): void;
  /** The server asks or answers about acknowledgements: the other side lives. */
  onTraffic(): void;
  /** Comes exactly once. */
  onEnd(end: StreamEnd): void;
}

export interface Stream {
  send(stanza: XmlNode | string): void;
  /** Asks the server to acknowledge what it has taken (XEP-0198 section 4). */
  requestAck(): void;
  /** Cuts the line without a word: the session can be resumed. */
  drop(): void;
  /** Takes leave; the session ends. */
  close(): void;
}

export type StreamFactory = (url: string, credentials: Credentials, sm: SmMemory, events: StreamEvents) => Stream;

/** Opens a stream over WebSocket (RFC 7395). */
export const openStream: StreamFactory = (url, credentials, sm, events) =>
  new StropheStream(url, credentials, sm, events);

const FATAL = Strophe.LogLevel.FATAL;

class StropheStream implements Stream {
  readonly #connection: InstanceType<typeof Strophe.Connection>;
  #end: StreamEnd = { kind: 'network' };
  #isOver = false;

  constructor(
    url: string,
    credentials: Credentials,
    sm: SmMemory,
    private readonly events: StreamEvents,
  ) {
    Strophe.setLogLevel(FATAL);
    this.#connection = new Strophe.Connection(url, {
      // A device credential is kept for SCRAM-SHA-256 alone. PLAIN is never offered: the password stays here.
      mechanisms:
        credentials.kind === 'device'
          ? [Strophe.SASLSHA256]
          : [Strophe.SASLSHA512, Strophe.SASLSHA256, Strophe.SASLSHA1],
      enableStreamManagement: true,
      streamManagement: { storage: sm, maxUnacked: 0, requestResume: true },
    });
    this.#refuseBlindResend();
    // RFC 6120 section 8.2.3 is served in `link.ts`; a handler that takes everything keeps Strophe from answering too.
    this.#connection.addHandler((element) => this.#onElement(element), null, null, null);
    const trafficInput = this.#connection.rawInput;
    this.#connection.rawInput = (data) => {
      trafficInput.call(this.#connection, data);
      this.events.onTraffic();
    };
    this.#connection.connect(
      `${credentials.jid}/${credentials.resource}`,
      prepareSecret(credentials.secret),
      (status, condition, element) => this.#onStatus(status, condition, element),
      undefined,
      undefined,
      undefined,
      authenticationId(credentials),
    );
  }

  send(stanza: XmlNode | string): void {
    const text = typeof stanza === 'string' ? stanza : serialize(stanza);
    this.#connection.send(new DOMParser().parseFromString(text, 'text/xml').documentElement);
  }

  requestAck(): void {
    this.send(`<r xmlns="${NS.sm}"/>`);
  }

  drop(): void {
    this.#connection._doDisconnect();
    this.#finish();
  }

  close(): void {
    this.#connection.disconnect();
    this.#finish();
  }

  /**
   * When a session is lost, Strophe sends what was not acknowledged again, stamped with a delay. The outbox does that
   * too, to the byte and only after a look into the archive, so Strophe is kept from it.
   */
  #refuseBlindResend(): void {
    const { sm } = this.#connection;
    if (sm) {
      sm.onFailed = () => {
        const isSupported = sm.serverSupported;
        sm.reset();
        sm.serverSupported = isSupported;
      };
    }
  }

  #onElement(element: Element): boolean {
    // An exception would make Strophe forget the handler.
    try {
      if (!this.#isOver && STANZAS.has(element.localName)) {
        this.events.onStanza(fromElement(element));
      }
    } catch (error) {
      report(error);
    }
    return true;
  }

  #onStatus(status: number, condition: string | null, element: Element | undefined): void {
    const { Status } = Strophe;
    switch (status) {
      case Status.CONNECTED:
        this.events.onOpen(this.#connection.hasResumed(), this.#connection.jid);
        break;
      case Status.AUTHFAIL:
        this.#end = refusal(condition, element);
        // Strophe leaves the socket open for another try; not from inside its own dispatch.
        queueMicrotask(() => this.drop());
        break;
      case Status.ERROR:
        this.#end = { kind: 'stream-error', condition: condition ?? 'undefined-condition' };
        break;
      case Status.CONNFAIL:
        if (condition === Strophe.ErrorCondition.NO_AUTH_MECH) {
          this.#end = { kind: 'refused', condition: 'invalid-mechanism', details: [] };
        } else if (condition && /^[a-z-]+$/.test(condition)) {
          this.#end = { kind: 'stream-error', condition };
        }
        break;
      case Status.DISCONNECTED:
        // The socket is gone, but Strophe may still have something to say: it computes its answer to a SASL challenge
        // in its own time, and sends without looking. While paused it keeps that to itself.
        this.#connection.pause();
        this.#finish();
        break;
    }
  }

  #finish(): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.events.onEnd(this.#end);
    }
  }
}

const STANZAS = new Set(['message', 'presence', 'iq']);

function refusal(condition: string | null, element: Element | undefined): StreamEnd {
  const failure = element ? fromElement(element) : null;
  const names = failure ? childNames(failure) : [];
  // Without an element, the server could not prove that it knows the password: it is not the server it says it is.
  return { kind: 'refused', condition: names[0] ?? condition ?? 'server-signature', details: names.slice(1) };
}

function childNames(node: XmlNode): string[] {
  const own = node.children.filter((child): child is XmlNode => typeof child !== 'string' && child.name !== 'text');
  if (node.name === 'iq') {
    const error = own.find((child) => child.name === 'error');
    return error ? childNames(error) : [];
  }
  return own.map((child) => child.name);
}
