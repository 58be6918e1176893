/**
 * A person comes back to a long history and the line breaks in the middle of it, for longer than any question waits for
 * its answer: first with a session that goes on afterwards, then with a server that has forgotten it.
 */
import assert from 'node:assert/strict';
import { scenario, until } from './stage.mjs';

/** The first is more than a page of the archive; each cut is when about a third has come. */
const rounds = [
  { name: 'first', count: 110, bytes: 40_000, isForgotten: false },
  { name: 'second', count: 30, bytes: 12_000, isForgotten: true },
];
/** Longer than the client waits for an answer (30 s). */
const cutMs = 40_000;

const textsOf = async (person) => (await person.allBubbles()).map(({ text }) => text).filter((text) => text !== null);

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send('begin');
  await bob.message('begin');
  const wanted = ['begin'];
  const figures = [];
  for (const { name, count, bytes, isForgotten } of rounds) {
    const added = Array.from({ length: count }, (_, index) => `${name} ${index + 1}`);
    wanted.push(...added);
    await alice.page.close();
    await bob.sendAll(added);
    await bob.message(added.at(-1), ['sent', 'delivered', 'read']);

    let hasBroken = false;
    stage.line.downAfter(bytes, () => {
      hasBroken = true;
    });
    alice.page = await alice.emptyTab();
    await alice.page.clock.install();
    await alice.page.goto(`${stage.origin}/#/chat/bob%40localhost`);
    await until('the line breaks', () => hasBroken);
    await alice.page.getByText(/^No connection\./u).waitFor();
    if (isForgotten) {
      await stage.server('kill');
      await stage.server('start');
    }
    await alice.page.clock.fastForward(cutMs);
    const before = await textsOf(alice);
    assert.ok(before.length < wanted.length, 'the line broke when all was there');
    figures.push({ of: wanted.length, beforeTheCut: before.length });

    stage.line.up();
    await Promise.all([alice.wake(), bob.wake()]);
    const seen = await until('alice has all', async () => {
      const texts = await textsOf(alice);
      return texts.length >= wanted.length && texts;
    });
    assert.deepEqual(seen, wanted, 'once, in order');
    // What would come twice comes before what is written now.
    const last = `after ${added.at(-1)}`;
    wanted.push(last);
    await bob.send(last);
    await alice.message(last);
    assert.deepEqual(await textsOf(alice), wanted, 'once, in order, also later');
  }
  stage.figures({ cuts: figures });
});
