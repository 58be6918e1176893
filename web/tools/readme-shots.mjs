/**
 * The pictures of the README: two people talk on a real server, and each of their windows is drawn.
 *
 *   make setup web && node web/tools/readme-shots.mjs [--out docs/images]
 *
 * Needs Chromium, espeak-ng and sox.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { speak } from '../../tests/web/e2e/speech.mjs';
import { desktop, phone, Stage, sleep, until } from '../../tests/web/e2e/stage.mjs';

const root = new URL('../..', import.meta.url).pathname;
const program = join(root, '.venv/bin/parley');
const password = 'a-picture-book';
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'docs/images') },
    dist: { type: 'string', default: join(root, 'web/dist') },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'parley-pictures-'));
const [httpPort, proxyPort, c2sPort, tlsPort] = await freePorts(4);
const stage = new Stage({
  origin: `http://localhost:${proxyPort}`,
  chromium: process.env.CHROMIUM ?? '/usr/bin/chromium',
  domain: 'hospital.example',
  folder,
  httpPort,
  proxyPort,
});
const server = await serve();
try {
  await stage.line.listen(proxyPort);
  await draw();
} finally {
  await stage.close();
  server.kill('SIGTERM');
  await new Promise((resolve) => {
    server.once('exit', resolve);
  });
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

async function draw() {
  const sharp = { deviceScaleFactor: 2 };
  const gate =
    'Hi Jonas. <break time="300ms"/> The lift to ward three is stuck again, <break time="400ms"/> so please bring the patient up through the east wing. ' +
    '<break time="300ms"/> The night porter has the key.';
  const reply = 'Got it. <break time="400ms"/> East wing, <break time="250ms"/> five minutes.';
  const mara = await stage.person('mara', { speech: speak(folder, 'mara', gate), context: sharp, size: desktop });
  const touch = { ...sharp, isMobile: true, hasTouch: true };
  const jonas = await stage.person('jonas', { speech: speak(folder, 'jonas', reply), context: touch, size: phone });
  await Promise.all([mara.signIn(password), jonas.signIn(password)]);
  await mara.addContact('jonas', 'Jonas Weber');
  await jonas.accept('mara');
  await jonas.goTo('mara');
  await rename(jonas, 'Mara Lindqvist');
  await Promise.all([mara.thread('Jonas Weber').waitFor(), jonas.thread('Mara Lindqvist').waitFor()]);

  const say = async (from, to, text) => {
    await from.send(text);
    await to.message(text);
    await sleep(300);
  };
  await say(mara, jonas, 'Good evening! Are you still in the building?');
  await say(jonas, mara, 'Yes, on the ground floor until ten.');
  await mara.hold(9200);
  await jonas.voices(1);
  await jonas.page.getByRole('button', { name: /^Play voice message/u }).click();
  await until('it is heard', async () => (await mara.voices(1))[0].state === 'heard', 30_000);
  // It plays to its end, and stands at its beginning again.
  await sleep(2000);
  await jonas.hold(2700);
  await mara.voices(2);
  await say(mara, jonas, 'Thank you. Room 12 is ready, I told the team.');
  await say(jonas, mara, 'On my way.');
  await mara.message('Thank you. Room 12 is ready, I told the team.', ['read']);
  await mara.page
    .getByRole('button', { name: /^Play voice message/u })
    .last()
    .click();
  await sleep(1400);
  await mara.page.getByRole('button', { name: 'Pause', exact: true }).click();
  await sleep(500);
  mkdirSync(options.out, { recursive: true });
  await mara.page.screenshot({ path: join(options.out, 'thread-desktop.png') });
  await jonas.page.screenshot({ path: join(options.out, 'thread-phone.png') });
}

async function rename(person, name) {
  await person.page.getByRole('button', { name: /^About /u }).click();
  await person.page.getByRole('button', { name: 'Rename' }).click();
  await person.page.getByLabel('Name that you see').fill(name);
  await person.page.getByRole('button', { name: 'Save' }).click();
  await person.page.getByRole('button', { name: 'Close' }).click();
}

/** A server with two people, ready. */
async function serve() {
  const home = join(folder, 'home');
  execFileSync(program, ['init', home, '--domain', stage.domain], { stdio: 'ignore' });
  const settings = [
    `http.listen=["127.0.0.1:${httpPort}"]`,
    `http.public_url=${stage.origin}`,
    `http.web_dir=${options.dist}`,
    `xmpp.c2s=["127.0.0.1:${c2sPort}"]`,
    `xmpp.c2s_tls=["127.0.0.1:${tlsPort}"]`,
  ].flatMap((setting) => ['--set', setting]);
  const common = ['--config', join(home, 'parley.toml'), ...settings];
  const people = ['mara', 'jonas'].map((name) => `${name}@${stage.domain},${password}\n`).join('');
  execFileSync(program, [...common, 'user', 'import', '-'], { input: people, stdio: ['pipe', 'ignore', 'inherit'] });
  const child = spawn(program, [...common, 'serve'], { stdio: 'ignore' });
  const isReady = () =>
    fetch(`http://127.0.0.1:${httpPort}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('the server is ready', isReady);
  return child;
}

/** Ports that nobody listens at. */
async function freePorts(count) {
  const probes = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const probe = createServer().listen(0, '127.0.0.1', () => resolve(probe));
        }),
    ),
  );
  const ports = probes.map((probe) => probe.address().port);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}
