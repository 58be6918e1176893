/** A second tab of the same browser: one of the two has the app, the other says so and can take it. */
import { scenario } from './stage.mjs';

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
});
