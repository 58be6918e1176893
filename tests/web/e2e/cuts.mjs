/** Both write while the line breaks again and again: both end with the same thread, nothing lost, nothing doubled. */
import assert from 'node:assert/strict';
import { scenario, sleep, until } from './stage.mjs';

const each = 40;

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send('begin');
  await bob.message('begin');

  let isOver = false;
  let cuts = 0;
  const cutting = (async () => {
    while (!isOver) {
      await sleep(150 + Math.random() * 1300);
      if (Math.random() < 0.2) {
        stage.line.down();
        await sleep(Math.random() * 400);
        stage.line.up();
      }
      cuts += stage.line.cut();
    }
  })();
  const wanted = new Set();
  const write = async (person) => {
    for (let number = 1; number <= each; number += 1) {
      const text = `${person.name} ${number}`;
      wanted.add(text);
      await person.send(text);
      await sleep(Math.random() * 150);
    }
  };
  await Promise.all([write(alice), write(bob)]);
  isOver = true;
  await cutting;
  stage.line.up();

  const people = [alice, bob];
  const all = async (person) => (await person.allBubbles()).map(({ text }) => text).filter((text) => wanted.has(text));
  const check = async (when) => {
    for (const person of people) {
      await until(`${person.name} has all ${when}`, async () => {
        await person.wake();
        return (await all(person)).length >= 2 * each;
      });
    }
    // What would come twice comes before what is written now.
    await exchange(people, `the end ${when}`);
    for (const person of people) {
      const bubbles = (await person.allBubbles()).filter(({ text }) => wanted.has(text));
      assert.deepEqual(
        bubbles.map(({ text }) => text).sort(),
        [...wanted].sort(),
        `${person.name}, ${when}: lost or doubled`,
      );
      for (const { name } of people) {
        const ofOne = bubbles.filter(({ isOwn }) => isOwn === (name === person.name)).map(({ text }) => text);
        assert.deepEqual(ofOne, inOrder(name), `${person.name}, ${when}: what ${name} wrote`);
      }
    }
  };
  await check('after the cuts');
  const states = (await alice.bubbles()).filter(({ isOwn }) => isOwn).map(({ state }) => state);
  assert.ok(
    states.every((state) => ['sent', 'delivered', 'read'].includes(state)),
    states.join(' '),
  );
  await Promise.all(people.map(({ page }) => page.reload()));
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await check('after a reload');
  // The archive gives both the same order; what was on the screen while lines were down may stand as it was written.
  const [ofAlice, ofBob] = [await all(alice), await all(bob)];
  stage.figures({ cuts, messages: wanted.size, sameOrder: ofAlice.every((text, index) => text === ofBob[index]) });
});

/** Each writes once more, and sees what the other has written. */
async function exchange([one, other], text) {
  await one.send(`${one.name}: ${text}`);
  await other.message(`${one.name}: ${text}`);
  await other.send(`${other.name}: ${text}`);
  await one.message(`${other.name}: ${text}`);
}

function inOrder(name) {
  return Array.from({ length: each }, (_, index) => `${name} ${index + 1}`);
}
