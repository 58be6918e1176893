import 'fake-indexeddb/auto';
import type { Message, Thread } from '../../model';
import { Client } from '../client';
import { ManualClock } from '../clock';
import { ClientDb } from '../db';
import { Engine } from '../engine';
import type { FakeLocks } from './fake-locks';
import type { FakeServer } from './fake-server';

export const ALICE = 'alice@home';
export const BOB = 'bob@home';

/** A browser profile: its database outlives the page. */
export class Profile {
  clock = new ManualClock();
  /** The larger part of the client comes when it resolves. */
  gate: Promise<void> = Promise.resolve();
  /** How often it was asked for. */
  begun = 0;
  /** How many lines its tabs have asked for. */
  opened = 0;
  /** Addresses of files that were asked for. */
  readonly fetched: string[] = [];
  readonly databaseName = `client-${crypto.randomUUID()}`;
  client: Client;
  #loads = 0;
  #onBack: () => void = () => undefined;
  #onLeaving: () => void = () => undefined;

  constructor(
    private readonly server: FakeServer,
    private readonly locks?: FakeLocks,
  ) {
    this.client = this.#load();
  }

  /** Another tab of the same browser. */
  tab(): Client {
    return this.#load();
  }

  /** The page goes, and perhaps it comes back. */
  hide(): void {
    this.#onLeaving();
  }

  #load(): Client {
    // No two pages are loaded in the same moment.
    this.#loads += 1;
    this.clock = new ManualClock(1_700_000_000_000 + this.#loads);
    const { gate } = this;
    return new Client({
      clock: this.clock,
      random: () => 0.5,
      userAgent: 'Firefox/128.0 (X11; Linux)',
      openDb: () => ClientDb.open(this.databaseName),
      loadSession: () => {
        this.begun += 1;
        return gate.then(() => ({
          Engine,
          openStream: (...args) => {
            this.opened += 1;
            return this.server.openStream(...args);
          },
          uploadFile: async () => undefined,
        }));
      },
      discover: async () => ({ url: 'ws://home/xmpp', domain: 'home' }),
      voice: {
        fetcher: (url) => {
          this.fetched.push(String(url));
          return Promise.reject(new TypeError('no network'));
        },
        analyse: async () => ({ durationMs: 1, waveform: [] }),
        isPlainHost: () => true,
      },
      locks: this.locks?.manager,
      persist: async () => undefined,
      watch: (onBack, onLeaving) => {
        this.#onBack = onBack;
        this.#onLeaving = onLeaving;
      },
    });
  }

  /** The network is back. */
  back(): void {
    this.#onBack();
  }

  /** Kills the page and loads it again. */
  async reload(): Promise<void> {
    const jid = this.client.session.value?.jid ?? ALICE;
    for (const resource of this.server.account(jid).credentials.keys()) {
      this.server.abandon(jid, resource);
    }
    this.client = this.#load();
    await this.client.start();
  }

  thread(jid: string): Thread {
    return this.client.openThread(jid);
  }
}

export function texts(thread: Thread): string[] {
  return thread.messages.value.flatMap(({ content }) => (content.kind === 'text' ? [content.text] : []));
}

export function last(thread: Thread): Message | undefined {
  return thread.messages.value.at(-1);
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error('it is missing');
  }
  return value;
}

/** Lets an acknowledgement be asked for. */
export function tick(...profiles: readonly Profile[]): void {
  for (const profile of profiles) {
    profile.clock.advance(1);
  }
}

/** Lets time pass, slowly enough for answers to come. */
export async function pass({ clock }: Profile, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.advance(1_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Waits until a condition holds; storage and encryption work in their own time. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    if (condition()) {
      return;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to that');
}
