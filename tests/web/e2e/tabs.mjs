/** A second tab of the same browser: one of the two has the app, the other says so and can take it. */
import assert from 'node:assert/strict';
import { scenario, until } from './stage.mjs';

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  const first = alice.page;
  await alice.open('/#/chat/bob%40localhost');
  await alice.thread('bob').waitFor();
  await first.getByRole('heading', { name: /another tab/u }).waitFor();
  await bob.send('one tab');
  await alice.message('one tab');

  await first.getByRole('button').click();
  await alice.page.getByRole('heading', { name: /another tab/u }).waitFor();
  alice.page = first;
  await alice.message('one tab');
  await bob.send('the other tab');
  await alice.message('the other tab');
  await alice.send('from the first again');
  await bob.message('from the first again');

  // Opened at the same moment, exactly one has the app; closing it hands over.
  const before = alice.context.pages();
  const tabs = await Promise.all([alice.emptyTab(), alice.emptyTab()]);
  await Promise.all(before.map((page) => page.close()));
  await Promise.all(tabs.map((tab) => tab.goto(`${stage.origin}/#/chat/bob%40localhost`)));
  const stateOf = async (tab) => {
    if ((await tab.getByRole('heading', { name: /another tab/u }).count()) > 0) return 'elsewhere';
    return (await tab.getByRole('region', { name: 'Conversation with bob' }).count()) > 0 ? 'runs' : 'opens';
  };
  const running = await until('one runs and the other says so', async () => {
    const states = await Promise.all(tabs.map(stateOf));
    return [...states].sort().join() === 'elsewhere,runs' && tabs[states.indexOf('runs')];
  });
  await bob.send('to one of two');
  alice.page = running;
  await alice.message('to one of two');
  assert.deepEqual((await Promise.all(tabs.map(stateOf))).sort(), ['elsewhere', 'runs']);

  await running.close();
  alice.page = tabs.find((tab) => tab !== running);
  await alice.thread('bob').waitFor();
  await bob.send('to the one that is left');
  await alice.message('to the one that is left');
  await alice.send('from the one that is left');
  await bob.message('from the one that is left');
});
