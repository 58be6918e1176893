/** Who types or records just now, either way (XEP-0085). */
import { signal } from '@preact/signals';
import type { Clock } from './clock';
import { buildChatState, type Envelope } from './stanzas';
import type { XmlNode } from './xml';

export type Doing = 'typing' | 'recording';

/** A peer that vanished never says that it stopped. */
const FORGET_MS = 30_000;
/** How long "composing" is worth before it is said again. */
const REPEAT_MS = 20_000;

export class Typing {
  readonly doing = signal<ReadonlyMap<string, Doing>>(new Map());
  readonly #cancels = new Map<string, () => void>();
  readonly #told = new Map<string, { readonly what: Doing | null; readonly at: number }>();

  /** @param send Sends if there is a connection and somebody to see it. */
  constructor(
    private readonly clock: Clock,
    private readonly send: (jid: string, stanza: XmlNode) => void,
  ) {}

  /** Takes what a live message says. */
  take(envelope: Envelope): void {
    if (envelope.isOwn || envelope.source !== 'live') {
      return;
    }
    if (envelope.chatState === 'composing') {
      this.#set(envelope.peer, envelope.isRecording ? 'recording' : 'typing');
    } else if (envelope.chatState || envelope.body || envelope.sealed) {
      this.#set(envelope.peer, null);
    }
  }

  /** Somebody left. */
  forget(jid: string): void {
    this.#set(jid, null);
  }

  /** Tells a peer what we do. */
  tell(jid: string, what: Doing | null): void {
    const told = this.#told.get(jid);
    const now = this.clock.now();
    const isSame = (told?.what ?? null) === what;
    if (isSame && (what === null || now - (told?.at ?? 0) < REPEAT_MS)) {
      return;
    }
    this.#told.set(jid, { what, at: now });
    const state = what === null ? 'paused' : 'composing';
    this.send(jid, buildChatState(jid, crypto.randomUUID(), state, what === 'recording'));
  }

  /** A message went out, which says that we are done. */
  sent(jid: string): void {
    this.#told.delete(jid);
  }

  #set(jid: string, doing: Doing | null): void {
    this.#cancels.get(jid)?.();
    this.#cancels.delete(jid);
    if ((this.doing.value.get(jid) ?? null) !== doing) {
      const next = new Map(this.doing.value);
      if (doing) {
        next.set(jid, doing);
      } else {
        next.delete(jid);
      }
      this.doing.value = next;
    }
    if (doing) {
      this.#cancels.set(
        jid,
        this.clock.after(FORGET_MS, () => this.#set(jid, null)),
      );
    }
  }
}
