/** Nothing but a keyboard: sign in, open a conversation, write, record, listen. */
import assert from 'node:assert/strict';
import { speak } from './speech.mjs';
import { scenario, sleep, until } from './stage.mjs';

await scenario(async (stage) => {
  const speech = speak(stage.folder, 'alice', 'A few words without a mouse.');
  const bob = await stage.person('bob', { speech });
  await bob.signIn(stage.password);
  const alice = await stage.person('alice', { speech });
  const { keyboard } = alice.page;
  /** Goes on by Tab until the focus is on something with this role and name. */
  const tabTo = async (role, name, key = 'Tab') => {
    for (let step = 0; step < 60; step += 1) {
      const target = alice.page.getByRole(role, { name }).first();
      if ((await target.count()) > 0 && (await target.evaluate((element) => element === document.activeElement)))
        return;
      await keyboard.press(key);
    }
    throw new Error(`Tab does not lead to the ${role} ${name}`);
  };

  await tabTo('textbox', /^Address/u);
  await keyboard.type('alice');
  await keyboard.press('Tab');
  await keyboard.type(stage.password);
  await keyboard.press('Enter');
  await alice.signedIn();

  await tabTo('button', 'New chat');
  await keyboard.press('Enter');
  await alice.page.getByRole('dialog', { name: 'New chat' }).waitFor();
  await tabTo('textbox', 'Address');
  await keyboard.type('bob');
  await keyboard.press('Enter');
  await alice.thread('bob').waitFor();
  await bob.accept('alice');

  await tabTo('textbox', 'Message');
  await keyboard.type('Written by hand');
  await keyboard.press('Enter');
  await bob.goTo('alice');
  await bob.message('Written by hand');
  await bob.hold(2200);
  await alice.voices(1);

  // Back to the list and in again, as one who has been elsewhere.
  await alice.goToList();
  await tabTo('link', /^bob/u);
  await keyboard.press('Enter');
  await alice.thread('bob').waitFor();
  await tabTo('button', /^Play voice message/u, 'Shift+Tab');
  await keyboard.press('Space');
  await alice.page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  await keyboard.press('Enter');
  await alice.page.getByRole('button', { name: /^Play voice message/u }).waitFor();
  await keyboard.press('Enter');
  await until('it is heard', async () => (await bob.bubbles()).some(({ state }) => state === 'heard'));

  await tabTo('button', /^Record a voice message/u);
  await keyboard.press('Space');
  await alice.page.getByRole('region', { name: 'Recording', exact: true }).waitFor();
  await sleep(1800);
  await tabTo('button', 'Send voice message');
  await keyboard.press('Enter');
  await bob.voices(2);
  assert.equal((await alice.bubbles()).length, 3);
});
