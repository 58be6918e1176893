import type { QueuedStanza, SMState, SMStorageBackend } from 'strophe.js';

/**
 * Memory of a stream management session (XEP-0198) over the streams of one page. Strophe counts and saves here; what
 * leaves its list of unacknowledged stanzas was committed by the server.
 *
 * The memory ends with the page on purpose. After a reload there is a new session; the outbox and the archive tell
 * what is missing on either side.
 */
export class SmMemory implements SMStorageBackend {
  #state: SMState | null = null;
  #unacked: readonly QueuedStanza[] = [];

  /** @param onAcked Ids of stanzas that the server has taken, in the order they were sent. */
  constructor(private readonly onAcked: (ids: readonly string[]) => void) {}

  /** Stanzas that were sent and not acknowledged. */
  get unackedCount(): number {
    return this.#unacked.length;
  }

  load(_key: string): SMState | null {
    return this.#state;
  }

  save(_key: string, state: SMState): void {
    // Asking for a new session empties the list too, and acknowledges nothing.
    const acked = state.enabled ? this.#goneFrom(state.unacked) : [];
    this.#state = state;
    this.#unacked = [...state.unacked];
    const ids = acked.map((entry) => idOf(entry.stanza)).filter((id) => id !== null);
    if (ids.length > 0) {
      this.onAcked(ids);
    }
  }

  clear(_key?: string): void {
    this.#state = null;
    this.#unacked = [];
  }

  #goneFrom(unacked: readonly QueuedStanza[]): QueuedStanza[] {
    const remaining = new Set(unacked);
    return this.#unacked.filter((entry) => !remaining.has(entry));
  }
}

/** The `id` of a serialized stanza's own tag. */
export function idOf(stanza: string): string | null {
  const tag = stanza.slice(0, stanza.indexOf('>'));
  return /\sid=(["'])(.*?)\1/.exec(tag)?.[2] ?? null;
}
