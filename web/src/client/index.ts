/*
 * Everything behind the screens: connection, accounts, messages, storage. `client.ts` is the front door, `engine.ts` puts
 * the parts of a session together, `stream.ts` alone knows Strophe; both come with `session.ts`, which is fetched apart. No user interface here, and no cryptography but
 * through `../e2ee`. To add a kind of stanza, look at `stanzas.ts` and `inbox.ts`.
 */
import type { Parley } from '../model';
import { waveformOf } from '../voice/waveform';
import { Client } from './client';
import { systemClock } from './clock';
import { ClientDb } from './db';
import { discover } from './discovery';

/** The client of this page. One for each page. */
export function createParley(): Parley {
  // Begun at once and beside everything else: it is there before anybody has typed a password.
  let session: ReturnType<typeof loadSession> | null = null;
  const load = () => {
    session ??= loadSession();
    session.catch(() => {
      session = null;
    });
    return session;
  };
  void load().catch(() => undefined);
  return new Client({
    clock: systemClock,
    random: Math.random,
    userAgent: navigator.userAgent,
    openDb: () => ClientDb.open(),
    loadSession: load,
    discover: (signal) => discover(location.origin, signal),
    voice: {
      fetcher: (...args) => fetch(...args),
      analyse: waveformOf,
      // A developer's machine: the address of an encrypted file cannot say that its host has no TLS.
      isPlainHost: (host) => location.protocol === 'http:' && host === location.host,
    },
    locks: navigator.locks,
    persist: async () => navigator.storage?.persist?.(),
    watch: (onBack, onLeaving) => {
      addEventListener('online', onBack);
      addEventListener('pageshow', onBack);
      addEventListener('pagehide', onLeaving);
      document.addEventListener('visibilitychange', () => (document.hidden ? onLeaving() : onBack()));
    },
  });
}

function loadSession() {
  return import('./session');
}
