/** The list of devices, signing one out, signing all out. */
import assert from 'node:assert/strict';
import { phone, scenario, until } from './stage.mjs';

await scenario(async (stage) => {
  const { alice, bob } = await stage.friends();
  const open = async () => {
    const window = await stage.person('alice', { size: phone });
    await window.signIn(stage.password);
    return window;
  };
  const second = await open();
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await bob.send('a secret');
  await alice.message('a secret');

  await alice.goToSettings();
  const others = alice.page.getByRole('button', { name: /^Sign out .+ · /u });
  await until('both are listed', async () => (await others.count()) === 1);
  await alice.page.getByText('Online now').waitFor();
  await others.click();
  await alice.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
  await second.page.getByText('You were signed out from another device.').waitFor();
  await until('it is off the list', async () => (await others.count()) === 0);
  // Its credential is void: a reload does not bring it back.
  await second.page.reload();
  await second.page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor();

  await second.signIn(stage.password);
  await alice.page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await alice.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await alice.page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor();
  await second.page.getByText('You were signed out from another device. Sign in again to go on.').waitFor();
  for (const window of [alice, second]) {
    await window.page.reload();
    await window.page.getByRole('heading', { name: 'Sign in to Parley' }).waitFor();
    assert.doesNotMatch(await window.page.evaluate(() => document.body.innerText), /a secret/u);
  }
  // Bob's session has nothing to do with it.
  await bob.send('still here');
  await bob.message('still here', ['sent', 'waiting']);
  await alice.signIn(stage.password);
});
