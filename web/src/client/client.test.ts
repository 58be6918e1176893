import { beforeEach, describe, expect, it } from 'vitest';
import type { Recording, Thread } from '../model';
import { NS } from './ns';
import { FakeServer } from './testing/fake-server';
import { ALICE, BOB, last, Profile, pass, required, texts, tick, until } from './testing/profile';
import type { XmlNode } from './xml';

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

describe('signing in', () => {
  it('says what is wrong, and leaves nothing behind', async () => {
    const profile = new Profile(server);
    await profile.client.start();
    expect(profile.client.session.value).toBeNull();
    await expect(profile.client.signIn('alice', 'wrong')).rejects.toMatchObject({ code: 'wrong-credentials' });
    await expect(profile.client.signIn('a b', 'x')).rejects.toMatchObject({ code: 'bad-address' });
    await profile.client.signIn('bob', `password of ${BOB}`);
    expect(profile.client.session.value).toMatchObject({ jid: BOB, deviceName: 'Firefox · Linux' });
  });

  it('is needed once: the installation has a credential of its own', async () => {
    const profile = await signedIn(ALICE);
    await profile.reload();
    expect(profile.client.session.value?.jid).toBe(ALICE);
    await until(() => profile.client.connection.value.kind === 'online');
    expect(await profile.client.signedInDevices()).toMatchObject([{ name: 'Firefox · Linux', isThisDevice: true }]);
  });

  it('is over when the credential is void, and nothing stays', async () => {
    const profile = await signedIn(ALICE);
    server.account(ALICE).credentials.clear();
    server.forgetSessions(ALICE);
    await profile.reload();
    await until(() => profile.client.session.value === null);
    expect(profile.client.lastSignOut.value).toBe('signed-out-elsewhere');
    await profile.reload();
    expect(profile.client.session.value).toBeNull();
  });

  it('is not shown any more when it begins to be emptied', async () => {
    const profile = await signedIn(ALICE);
    const { client } = profile;
    const leaving = client.signOut();
    const isOpen = () => {
      try {
        client.openThread(BOB);
        return true;
      } catch {
        return false;
      }
    };
    await until(() => !client.session.value || !isOpen());
    expect(client.session.value).toBeUndefined();
    await leaving;
  });

  it('signing out takes the device off the list and deletes everything', async () => {
    const profile = await signedIn(ALICE);
    await profile.client.signOut();
    expect(profile.client.session.value).toBeNull();
    expect(profile.client.lastSignOut.value).toBeNull();
    expect(server.account(ALICE).credentials.size).toBe(0);
    expect(server.account(ALICE).nodes.get('eu.siacs.conversations.axolotl.devicelist')?.children[0]).toMatchObject({
      children: [],
    });
  });
});

describe('signing other devices out', () => {
  const list = () =>
    server.account(ALICE).nodes.get('eu.siacs.conversations.axolotl.devicelist')?.children[0] as XmlNode;

  async function twoDevices(): Promise<readonly [Profile, Profile]> {
    const [phone, laptop] = [await signedIn(ALICE), await signedIn(ALICE)];
    await until(() => list().children.length === 2);
    return [phone, laptop];
  }

  it('takes one that is signed out off the list of devices', async () => {
    const [phone, laptop] = await twoDevices();
    const [own] = await phone.client.devices(ALICE);
    const other = (await phone.client.signedInDevices()).find((device) => !device.isThisDevice);
    await phone.client.revokeDevice(required(other).resource);
    await until(() => list().children.length === 1);
    expect(list().children).toMatchObject([{ attrs: { id: String(own?.deviceId) } }]);
    laptop.back();
    await until(() => laptop.client.session.value === null);
    expect(laptop.client.lastSignOut.value).toBe('signed-out-elsewhere');
  });

  it('takes all off the list when all are signed out, and none puts itself back', async () => {
    const [phone, laptop] = await twoDevices();
    await phone.client.signOutEverywhere();
    laptop.back();
    await until(() => laptop.client.session.value === null);
    expect(server.account(ALICE).credentials.size).toBe(0);
    expect(list().children).toEqual([]);
  });
});

describe('two people', () => {
  it('exchange sealed messages, with receipts and markers', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    await alice.client.sendText(BOB, 'hello');
    await until(() => texts(toAlice).includes('hello'));
    expect(server.accepted.join()).not.toContain('hello');
    expect(bob.client.conversations.value).toMatchObject([{ jid: ALICE, unread: 1, confidentiality: 'sealed' }]);
    await until(() => last(toBob)?.state === 'delivered');
    toAlice.markRead();
    await until(() => last(toBob)?.state === 'read');
    expect(bob.client.conversations.value[0]?.unread).toBe(0);
    await bob.client.sendText(ALICE, 'hi');
    await until(() => texts(toBob).includes('hi'));
    expect(texts(toBob)).toEqual(['hello', 'hi']);
  });

  it('lose and double nothing over a cut, resumed or not', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const toAlice = bob.thread(ALICE);
    await alice.client.sendText(BOB, '0');
    await until(() => texts(toAlice).length === 1);
    server.deafen(ALICE);
    await alice.client.sendText(BOB, '1');
    server.cut(ALICE);
    server.cut(BOB);
    await alice.client.sendText(BOB, '2');
    alice.back();
    bob.back();
    await until(() => texts(toAlice).length === 3);
    server.deafen(ALICE);
    await alice.client.sendText(BOB, '3');
    server.cut(ALICE);
    server.forgetSessions(ALICE);
    alice.back();
    await until(() => texts(toAlice).length === 4);
    server.cut(BOB);
    server.forgetSessions(BOB);
    await alice.client.sendText(BOB, '4');
    await until(() => server.account(BOB).archive.length >= 5);
    bob.back();
    await until(() => texts(toAlice).length === 5);
    expect(texts(toAlice)).toEqual(['0', '1', '2', '3', '4']);
  });

  it('send once what was written offline, in order, after a reload', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const toAlice = bob.thread(ALICE);
    server.cut(ALICE);
    await alice.client.sendText(BOB, 'first');
    await alice.client.sendText(BOB, 'second');
    expect(alice.client.waitingCount.value).toBe(2);
    expect(last(alice.thread(BOB)) ?? { waitingFor: 'connection' }).toMatchObject({ waitingFor: 'connection' });
    await alice.reload();
    await until(() => texts(toAlice).length === 2);
    expect(texts(toAlice)).toEqual(['first', 'second']);
    await alice.reload();
    await until(() => alice.client.connection.value.kind === 'online');
    await until(() => {
      tick(alice);
      return alice.client.waitingCount.value === 0;
    });
    expect(texts(toAlice)).toEqual(['first', 'second']);
  });

  it('see history after a reload without the network', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    await alice.client.sendText(BOB, 'kept');
    await until(() => bob.client.conversations.value.length === 1);
    await bob.reload();
    const thread = bob.thread(ALICE);
    await until(() => texts(thread).length === 1);
    expect(texts(thread)).toEqual(['kept']);
    expect(bob.client.conversations.value[0]).toMatchObject({ unread: 1 });
  });
});

describe('a session that does not begin well', () => {
  it('is begun again, over the same line', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const toAlice = bob.thread(ALICE);
    server.ignoring = [NS.carbons, NS.carbons];
    await alice.reload();
    await alice.client.sendText(BOB, 'at last');
    await until(() => server.ignoring.length === 1);
    const { opened } = alice;
    await pass(alice, 30_000);
    await until(() => {
      alice.clock.advance(20);
      return server.ignoring.length === 0;
    });
    expect(texts(toAlice)).toEqual([]);
    await pass(alice, 30_000);
    await until(() => {
      alice.clock.advance(20);
      return texts(toAlice).length === 1;
    });
    expect(alice.opened).toBe(opened);
    // Bob's answer comes over the stream: alice has said that she is there, though she began more than once.
    await bob.client.sendText(ALICE, 'well');
    const toBob = alice.thread(BOB);
    await until(() => texts(toBob).includes('well'));
  });
});

describe('sealed means sealed', () => {
  it('a message waits for the devices of the other side, and goes when there is one', async () => {
    const alice = await signedIn(ALICE);
    const thread = alice.thread(BOB);
    await alice.client.sendText(BOB, 'are you there?');
    await until(() => last(thread)?.waitingFor === 'devices');
    expect(server.accepted).toEqual([]);
    const bob = await signedIn(BOB);
    const toAlice = bob.thread(ALICE);
    await until(() => texts(toAlice).includes('are you there?'));
  });

  it('a message waits for the person when the only device is distrusted', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const thread = alice.thread(BOB);
    const [device] = await alice.client.devices(BOB);
    await alice.client.setTrust(required(device), 'distrusted');
    await alice.client.sendText(BOB, 'secret');
    await until(() => last(thread)?.waitingFor === 'trust');
    await alice.client.setTrust(required(device), 'verified');
    const toAlice = bob.thread(ALICE);
    await until(() => texts(toAlice).includes('secret'));
  });
});

describe('a device that is not trusted', () => {
  it('is not heard until it is, and then all it said', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    await alice.client.sendText(BOB, 'hello');
    await until(() => texts(toAlice).length === 1);
    const [device] = await alice.client.devices(BOB);
    await alice.client.setTrust(required(device), 'distrusted');
    await bob.client.sendText(ALICE, 'one');
    await bob.client.sendText(ALICE, 'two');
    const closed = { kind: 'unreadable', reason: 'distrusted' };
    await until(() => toBob.messages.value.filter(({ content }) => content.kind === 'unreadable').length === 2);
    expect(last(toBob)?.content).toEqual(closed);
    await alice.client.setTrust(required(device), 'verified');
    await until(() => texts(toBob).length === 3);
    expect(texts(toBob)).toEqual(['hello', 'one', 'two']);
  });
});

describe('notes', () => {
  const notes = (thread: Thread): string[] =>
    thread.messages.value.flatMap(({ content }) => (content.kind === 'note' ? [content.note] : []));

  it('say once whom one writes to, however fast one writes', async () => {
    const [alice] = [await signedIn(ALICE), await signedIn(BOB)];
    const toBob = alice.thread(BOB);
    await Promise.all([alice.client.sendText(BOB, 'one'), alice.client.sendText(BOB, 'two')]);
    await until(() => texts(toBob).length === 2);
    for (const { id, content } of toBob.messages.value) {
      if (content.kind === 'text') {
        await alice.client.discard(id);
      }
    }
    await alice.client.sendText(BOB, 'three');
    expect(notes(toBob)).toEqual(['first-contact']);
  });

  it('of an own new device stand in the latest conversations', async () => {
    const others = Array.from({ length: 11 }, (_, index) => `a${index}@home`);
    server = new FakeServer([ALICE, BOB, ...others]);
    const alice = await signedIn(ALICE);
    for (const jid of [...others, BOB]) {
      alice.clock.advance(1000);
      await alice.client.sendText(jid, 'hello');
    }
    const [toBob, toFirst] = [alice.thread(BOB), alice.thread(others[0] ?? '')];
    await alice.reload();
    await until(() => alice.client.connection.value.kind === 'online');
    await signedIn(ALICE);
    const [latest, oldest] = [alice.thread(BOB), alice.thread(others[0] ?? '')];
    await until(() => notes(latest).includes('new-device'));
    await until(() => !oldest.isLoading.value);
    expect(notes(oldest)).toEqual(['first-contact']);
    toBob.close();
    toFirst.close();
  });
});

describe('a stranger', () => {
  it('notices nothing until the person writes', async () => {
    server.account(ALICE).roster.delete(BOB);
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    await bob.client.sendText(ALICE, `aesgcm://host/one.ogg#${'ab'.repeat(44)}`);
    await bob.client.sendText(ALICE, 'two');
    await until(() => texts(toBob).includes('two'));
    const voice = required(toBob.messages.value.find(({ content }) => content.kind === 'voice'));
    toBob.markRead();
    await until(() => alice.client.conversations.value[0]?.unread === 0);
    alice.client.markHeard(voice.id);
    await until(() => toBob.messages.value.some(({ content }) => content.kind === 'voice' && content.isHeard));
    const fromAlice = () => server.accepted.filter((text) => text.includes(`to="${BOB}"`));
    await alice.client.voiceFile(voice.id).catch(() => undefined);
    expect(fromAlice()).toEqual([]);
    // Once: by the tap, not by itself.
    expect(alice.fetched).toHaveLength(1);
    await alice.client.sendText(BOB, 'who are you?');
    await until(() => texts(toAlice).includes('who are you?'));
    await bob.client.sendText(ALICE, 'it is me');
    await until(() => texts(toBob).includes('it is me'));
    toBob.markRead();
    await until(() => toAlice.messages.value.some(({ state }) => state === 'read'));
    // What the stranger was not told then is not told later.
    expect(fromAlice().join()).not.toContain('heard');
  });
});

describe('several devices', () => {
  it('all see all, and a new one is announced', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    await alice.client.sendText(BOB, 'one');
    await until(() => texts(toAlice).length === 1);
    const second = await signedIn(ALICE);
    const secondToBob = second.thread(BOB);
    await until(() =>
      toAlice.messages.value.some(({ content }) => content.kind === 'note' && content.note === 'new-device'),
    );
    await bob.client.sendText(ALICE, 'two');
    await until(() => texts(toBob).includes('two') && texts(secondToBob).includes('two'));
    tick(bob);
    await until(() => bob.client.waitingCount.value === 0);
    await alice.client.sendText(BOB, 'three');
    await until(() => texts(secondToBob).includes('three'));
    await second.client.sendText(BOB, 'four');
    await until(() => texts(toBob).includes('four') && texts(toAlice).includes('four'));
    expect(texts(toAlice)).toEqual(['one', 'two', 'three', 'four']);
    expect(texts(toBob)).toEqual(['one', 'two', 'three', 'four']);
    expect(second.client.conversations.value[0]?.unread).toBe(0);
  });
});

describe('a message that failed', () => {
  it('goes out once, however often it is asked for', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    server.refusing = 'policy-violation';
    await alice.client.sendText(BOB, 'once');
    await until(() => last(toBob)?.state === 'failed');
    server.refusing = null;
    const id = last(toBob)?.id ?? '';
    await Promise.all([alice.client.retry(id), alice.client.retry(id)]);
    await alice.client.sendText(BOB, 'and then');
    await until(() => texts(toAlice).includes('and then'));
    expect(texts(toAlice)).toEqual(['once', 'and then']);
  });
});

describe('messages composed in one go', () => {
  it('go out in that order, though the first takes longer to prepare', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const [toBob, toAlice] = [alice.thread(BOB), bob.thread(ALICE)];
    const durations = () =>
      toBob.messages.value.flatMap(({ content }) => (content.kind === 'voice' ? [content.durationMs] : []));
    const voice = (durationMs: number, sizeBytes: number) =>
      alice.client.sendVoice(BOB, { blob: new Blob([new Uint8Array(sizeBytes)]), durationMs, waveform: [] });
    await Promise.all([voice(2_000, 4_000_000), voice(1_000, 10), alice.client.sendText(BOB, 'listen')]);
    await until(() => toAlice.messages.value.filter(({ content }) => content.kind !== 'note').length === 3);
    await until(() => toBob.messages.value.every(({ state }) => state === undefined || state === 'delivered'));
    expect(durations()).toEqual([2_000, 1_000]);
  });

  it('go out in that order, though the first is still being made of what was recorded', async () => {
    const [alice, bob] = [await signedIn(ALICE), await signedIn(BOB)];
    const toBob = alice.thread(BOB);
    bob.thread(ALICE);
    const durations = () =>
      toBob.messages.value.flatMap(({ content }) => (content.kind === 'voice' ? [content.durationMs] : []));
    const recordingOf = (durationMs: number): Recording => ({ blob: new Blob(['heard']), durationMs, waveform: [] });
    let deliver = (_: Recording) => {};
    const first = new Promise<Recording>((resolve) => {
      deliver = resolve;
    });
    const broken = Promise.reject<Recording>(new Error('no file came of it'));
    broken.catch(() => undefined);
    const all = [first, broken, recordingOf(2_000)].map((recording) => alice.client.sendVoice(BOB, recording));
    await tick();
    deliver(recordingOf(1_000));
    const outcomes = (await Promise.allSettled(all)).map(({ status }) => status);
    expect(outcomes).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await until(() => toBob.messages.value.every(({ state }) => state === undefined || state === 'delivered'));
    expect(durations()).toEqual([1_000, 2_000]);
  });
});

describe('a text that is too long for one message', () => {
  it('is told apart before it is sent, and refused after', async () => {
    const alice = await signedIn(ALICE);
    const [most, more] = [144 * 1024, 144 * 1024 + 1].map((length) => 'x'.repeat(length));
    expect(['short', most, more, 'ä'.repeat(100_000)].map((text) => alice.client.isTooLong(text ?? ''))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    await expect(alice.client.sendText(BOB, more ?? '')).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('the position in a voice message', () => {
  it('is kept when the page goes at once', async () => {
    const alice = await signedIn(ALICE);
    const blob = new Blob([new Uint8Array(3)], { type: 'audio/ogg' });
    await alice.client.sendVoice(BOB, { blob, durationMs: 5_000, waveform: [] });
    const thread = alice.thread(BOB);
    await until(() => last(thread)?.content.kind === 'voice');
    alice.client.setPosition(last(thread)?.id ?? '', 1_234);
    alice.hide();
    await until(() => {
      const content = last(thread)?.content;
      return content?.kind === 'voice' && content.positionMs === 1_234;
    });
  });
});
