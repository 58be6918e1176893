/**
 * A device that Alice knows comes with another key: nothing goes to it until she has decided. Nor does anything to one
 * that comes after she has verified another.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { scenario, until } from './stage.mjs';

await scenario(async (stage) => {
  const app = otherApp(stage);
  await app.heard('ready');
  const alice = await stage.person('alice');
  await alice.signIn(stage.password);
  await alice.addContact('bob');
  await until('they are contacts', async () => (await alice.thread('bob').getByText('Online').count()) > 0);
  await alice.send('to the old key');
  await app.heard('opened to the old key');
  await app.wish('send from the old key');
  await alice.message('from the old key');

  await app.wish('reinstall');
  await app.wish('send from the new key');
  await until('alice is warned', async () =>
    (await alice.notes()).some((note) => note.startsWith('The key of bob changed')),
  );
  await alice.send('only for whom I know');
  await isHeld(alice, 'only for whom I know');
  await alice.page.reload();
  await alice.message('only for whom I know', ['waiting']);
  assert.ok(!app.lines.includes('opened only for whom I know'));

  const details = alice.page.getByRole('region', { name: 'Details' });
  await details.getByText('not decided').click();
  await details.getByRole('button', { name: 'They match' }).click();
  await app.heard('opened only for whom I know');
  await alice.message('only for whom I know', ['sent', 'delivered', 'read']);
  await details.getByText('verified').waitFor();
  // What the new key had sealed before opens now, in its place.
  await alice.message('from the new key');
  await app.wish('send now we know each other');
  await alice.message('now we know each other');

  await app.wish('add');
  await until('alice is told', async () => (await alice.notes()).includes('bob added a new device.'));
  await alice.send('only for devices I checked');
  await isHeld(alice, 'only for devices I checked');
  await alice.page.reload();
  await isHeld(alice, 'only for devices I checked');
  assert.ok(!app.lines.includes('opened only for devices I checked'));
  await details.getByText('not decided').click();
  assert.match(await details.locator('[data-trust=undecided] .fingerprint').innerText(), /^(?:[0-9a-f]{8}\s*){8}$/u);
  await details.getByRole('button', { name: 'They match' }).click();
  await app.heard('also opened only for devices I checked');
  await app.heard('opened only for devices I checked');
});

/** Waits until a message waits for a decision; before that, it waits for the line. */
function isHeld(person, text) {
  const reason = 'Waits for you: a device of bob is not trusted.';
  return until(`"${text}" waits for a decision`, async () => {
    const { trouble } = await person.message(text, ['waiting']);
    return trouble === reason;
  });
}

function otherApp(stage) {
  const script = new URL('other_app.py', import.meta.url).pathname;
  const child = spawn(stage.python, [script, String(stage.c2sPort)], { stdio: ['pipe', 'pipe', 'inherit'] });
  stage.atEnd(() => child.kill());
  const lines = [];
  let wishes = 0;
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const heard = (line) => until(`the other app says "${line}"`, () => lines.includes(line));
  return {
    lines,
    heard,
    async wish(text) {
      wishes += 1;
      child.stdin.write(`${text}\n`);
      await until(`the other app does "${text}"`, () => lines.filter((line) => line === 'done').length >= wishes);
    },
  };
}
