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

  const all = async (person) => {
    await person.page.getByRole('log').evaluate((log) => {
      log.scrollTop = 0;
    });
    return (await person.bubbles()).map(({ text }) => text).filter((text) => wanted.has(text));
  };
  for (const person of [alice, bob]) {
    await until(
      `${person.name} has all`,
      async () => {
        await person.page.evaluate(() => dispatchEvent(new Event('online')));
        return (await all(person)).length >= 2 * each;
      },
      40_000,
    );
  }
  await sleep(700);
  for (const person of [alice, bob]) {
    const seen = await all(person);
    assert.deepEqual([...seen].sort(), [...wanted].sort(), `${person.name}: lost or doubled`);
    for (const { name } of [alice, bob]) {
      const ofOne = seen.filter((text) => text.startsWith(name));
      assert.deepEqual(ofOne, inOrder(name), `${person.name} sees what ${name} wrote out of order`);
    }
  }
  const states = (await alice.bubbles()).filter(({ isOwn }) => isOwn).map(({ state }) => state);
  assert.ok(
    states.every((state) => ['sent', 'delivered', 'read'].includes(state)),
    states.join(' '),
  );
  const [ofAlice, ofBob] = [await all(alice), await all(bob)];
  stage.figures({ cuts, messages: wanted.size, sameOrder: ofAlice.every((text, index) => text === ofBob[index]) });
  // The archive gives both the same order; what was on the screen while lines were down may stand as it was written.
  await Promise.all([alice, bob].map(({ page }) => page.reload()));
  for (const person of [alice, bob]) {
    await until(`${person.name} has all after a reload`, async () => (await all(person)).length === 2 * each);
  }
});

function inOrder(name) {
  return Array.from({ length: each }, (_, index) => `${name} ${index + 1}`);
}
