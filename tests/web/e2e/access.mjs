/** axe finds nothing serious on any screen with a real conversation on it, in both themes and languages, wide and narrow. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { speak } from './speech.mjs';
import { desktop, phone, scenario, sleep, webRequire } from './stage.mjs';

const axe = readFileSync(webRequire.resolve('axe-core/axe.min.js'), 'utf8');
const thread = '#/chat/bob%40localhost';
const screens = {
  chats: '#/',
  contacts: '#/contacts',
  new: '#/new',
  thread,
  details: `${thread}/details`,
  settings: '#/settings',
};
const looks = [
  { size: phone, theme: 'light', language: 'en' },
  { size: phone, theme: 'dark', language: 'de' },
  { size: desktop, theme: 'dark', language: 'en' },
  { size: desktop, theme: 'light', language: 'de' },
];

await scenario(async (stage) => {
  const speech = speak(stage.folder, 'alice', 'This is only for the picture of its wave.');
  const { alice, bob } = await stage.friends({ speech, size: phone });
  const { page } = alice;
  const found = [];
  let count = 0;
  const audit = async (person, screen, look) => {
    // What a change of theme or screen moves and fades has to have come to rest.
    await sleep(300);
    count += 1;
    const violations = await person.page.evaluate(async () => (await globalThis.axe.run()).violations);
    for (const { id, impact, nodes } of violations) {
      const what = `${impact} ${id} on ${screen} ${JSON.stringify(look)}: ${nodes[0].html.slice(0, 200)}`;
      console.log(what);
      if (impact === 'serious' || impact === 'critical') found.push(what);
    }
  };
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await bob.send('Where are you? See https://example.org/');
  await alice.message('Where are you? See https://example.org/');
  await alice.hold(2000);
  await bob.voices(1);
  await bob.goToList();
  await alice.send('On the stairs');
  await alice.message('On the stairs', ['delivered']);

  for (const look of looks) {
    await page.setViewportSize(look.size);
    await page.emulateMedia({ colorScheme: look.theme });
    await page.evaluate((language) => localStorage.setItem('parley.language', language), look.language);
    await page.goto(`${stage.origin}/${screens.chats}`);
    await page.reload();
    await page.getByRole('navigation').waitFor();
    await page.evaluate(axe);
    for (const [screen, hash] of Object.entries(screens)) {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await audit(alice, screen, look);
    }
    await page.evaluate((to) => {
      location.hash = to;
    }, thread);
    await page.getByRole('button', { name: /^(Record a voice message|Sprachnachricht aufnehmen)/u }).click();
    await audit(alice, 'recording', look);
    await page.getByRole('button', { name: /^(Pause recording|Aufnahme anhalten)$/u }).click();
    await audit(alice, 'paused recording', look);
    await page.getByRole('button', { name: /^(Delete recording|Aufnahme löschen)$/u }).click();
  }

  const carol = await stage.person('carol', { size: phone });
  await carol.page.evaluate(axe);
  await carol.page.getByRole('button', { name: 'Sign in' }).click();
  for (const colorScheme of ['light', 'dark']) {
    await carol.page.emulateMedia({ colorScheme });
    await audit(carol, 'refused sign-in', { colorScheme });
  }
  stage.figures({ screensAudited: count });
  assert.deepEqual(found, []);
});
