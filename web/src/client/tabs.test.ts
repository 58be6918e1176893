import { beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client';
import { FakeLocks } from './testing/fake-locks';
import { FakeServer } from './testing/fake-server';
import { ALICE, BOB, last, Profile, until } from './testing/profile';

let server: FakeServer;
/** Errors that were reported as nobody's. */
let reported: unknown[];

async function signedIn(jid: string, profile = new Profile(server)): Promise<Profile> {
  await profile.client.start();
  await profile.client.signIn(jid.split('@')[0] ?? '', `password of ${jid}`);
  await until(() => server.account(jid).nodes.size >= 2);
  return profile;
}

beforeEach(() => {
  server = new FakeServer([ALICE, BOB]);
  reported = [];
  globalThis.reportError = (error) => void reported.push(error);
});

describe('two tabs', () => {
  const kinds = (tabs: readonly Client[]) => tabs.map((tab) => tab.connection.value.kind).sort();
  /** How many installations of alice have a line to the server. */
  const lines = () => [...server.account(ALICE).sessions.values()].filter(({ stream }) => stream).length;

  /** A browser where alice is signed in, without a page. */
  async function browser(): Promise<Profile> {
    const profile = await signedIn(ALICE, new Profile(server, new FakeLocks()));
    await profile.client.takeOver();
    return profile;
  }

  it('opened at the same moment do not both work', async () => {
    const profile = await browser();
    const tabs = [profile.tab(), profile.tab(), profile.tab()];
    await Promise.all(tabs.map((tab) => tab.start()));
    await until(() => kinds([profile.client, ...tabs]).join() === 'elsewhere,elsewhere,elsewhere,online');
    expect(lines()).toBe(1);
    expect(reported).toEqual([]);
    const working = tabs.find((tab) => tab.connection.value.kind === 'online');
    await working?.sendText(BOB, 'from the one that works');
    for (const tab of tabs.filter((other) => other !== working)) {
      await expect(tab.sendText(BOB, 'from another')).rejects.toMatchObject({ code: 'no-connection' });
    }
  });

  it('begin once for each time they get the app, though one was not through with loading', async () => {
    const profile = await browser();
    let open = () => {};
    profile.gate = new Promise((resolve) => {
      open = resolve;
    });
    const slow = profile.tab();
    const slowClock = profile.clock;
    const loading = slow.start();
    await until(() => profile.client.connection.value.kind === 'elsewhere');
    profile.gate = Promise.resolve();
    const quick = profile.tab();
    await quick.start();
    await until(() => quick.connection.value.kind === 'online');
    const { opened } = profile;
    slowClock.advance(1_000);
    const { begun } = profile;
    const taking = slow.takeOver();
    await until(() => profile.begun === begun + 1);
    open();
    await Promise.all([loading, taking]);
    await until(() => slow.connection.value.kind === 'online');
    const thread = slow.openThread(BOB);
    await slow.sendText(BOB, 'one of me');
    await until(() => last(thread)?.waitingFor === 'devices');
    expect(profile.opened).toBe(opened + 1);
    expect(lines()).toBe(1);
    expect(reported).toEqual([]);
  });

  it('leave each other a database that nobody works with, in the middle of everything', async () => {
    const [profile, bob] = [await browser(), await signedIn(BOB)];
    const first = profile.client;
    const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
    await Promise.all(texts.map((text) => bob.client.sendText(ALICE, text)));
    const own = Promise.allSettled(texts.map((text) => first.sendText(BOB, `own ${text}`)));
    first.openThread(BOB);
    first.setDraft(BOB, 'half a thought');
    const second = profile.tab();
    await second.start();
    await until(() => second.connection.value.kind === 'online');
    expect(first.connection.value.kind).toBe('elsewhere');
    const thread = second.openThread(BOB);
    const theirs = () =>
      thread.messages.value.flatMap(({ content, isOwn }) => (content.kind === 'text' && !isOwn ? [content.text] : []));
    await until(() => theirs().length === texts.length);
    expect(theirs()).toEqual(texts);
    expect((await own).every((result) => result.status === 'fulfilled' || result.reason.code === 'no-connection')).toBe(
      true,
    );
    expect(second.conversations.value[0]?.draft).toBe('half a thought');
    expect(reported).toEqual([]);
  });

  it('end a sign-in in the tab that is left', async () => {
    const profile = new Profile(server, new FakeLocks());
    await profile.client.start();
    const attempt = expect(profile.client.signIn('alice', `password of ${ALICE}`)).rejects.toMatchObject({
      code: 'no-connection',
    });
    const second = profile.tab();
    await Promise.all([attempt, second.start()]);
    expect(profile.client.connection.value.kind).toBe('elsewhere');
    expect(second.session.value).toBeNull();
    await second.signIn('alice', `password of ${ALICE}`);
    expect(reported).toEqual([]);
  });
});

describe('a tab that takes the app back', () => {
  it('works from then on, without beginning twice', async () => {
    const profile = await signedIn(ALICE, new Profile(server, new FakeLocks()));
    const first = profile.client;
    const firstClock = profile.clock;
    const second = profile.tab();
    await second.start();
    await until(() => second.connection.value.kind === 'online');
    firstClock.advance(1_000);
    await first.takeOver();
    await until(() => first.connection.value.kind === 'online');
    expect(second.connection.value.kind).toBe('elsewhere');
    const { opened } = profile;
    firstClock.advance(10_000);
    await first.sendText(BOB, 'still here');
    expect(first.connection.value.kind).toBe('online');
    expect(profile.opened).toBe(opened);
    expect(reported).toEqual([]);
  });
});
