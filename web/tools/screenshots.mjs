/**
 * Draws every screen of the demonstration data at three sizes, in both themes and languages, and runs axe on each.
 *
 *   node tools/screenshots.mjs [--out DIR] [--only PATTERN]
 *
 * `--only` is a regular expression over file names, for example "^thread-.*-dark-en". Exit status 1 when axe finds
 * something serious or a page reports an error. The browser is CHROMIUM or /usr/bin/chromium.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const root = new URL('..', import.meta.url).pathname;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(tmpdir(), 'parley-screenshots') },
    only: { type: 'string', default: '' },
  },
});

const sizes = [
  { name: 'phone', width: 360, height: 780, isMobile: true },
  { name: 'tablet', width: 768, height: 1024, isMobile: false },
  { name: 'desktop', width: 1280, height: 800, isMobile: false },
];
const themes = ['light', 'dark'];
const languages = ['en', 'de'];
const wanted = new RegExp(options.only, 'u');

const mara = '#/chat/mara%40hospital.example';
const jonas = '#/chat/ward3%40hospital.example';
const mic = /^(Record a voice|Sprachnachricht aufnehmen)/;

/** Each screen: where, and what is done there before it is drawn. */
const screens = [
  { name: 'chats', path: '/' },
  { name: 'chats-empty', path: '/?empty' },
  { name: 'chats-offline', path: '/?offline' },
  { name: 'contacts', path: '/#/contacts' },
  { name: 'new', path: '/#/new' },
  { name: 'thread', path: `/${mara}`, act: (page) => playAt(page, 14) },
  { name: 'thread-states', path: `/${jonas}` },
  { name: 'thread-long', path: '/#/chat/elif%40hospital.example', act: scrollUp },
  { name: 'thread-plain', path: '/#/chat/vera%40partner.example' },
  { name: 'picture', path: '/#/chat/vera%40partner.example', act: openPicture },
  { name: 'thread-empty', path: '/#/chat/nina%40hospital.example' },
  { name: 'thread-archive', path: '/#/chat/amira%40clinic.example' },
  { name: 'details', path: `/${mara}/details`, act: openDevice },
  { name: 'class', path: `/${mara}`, act: (page) => page.getByRole('button', { name: /Sealed|Versiegelt/ }).click() },
  { name: 'record-hold', path: `/${mara}`, act: hold },
  { name: 'record-locked', path: `/${mara}`, act: (page) => lock(page) },
  { name: 'record-paused', path: `/${mara}`, act: pauseRecording },
  { name: 'composer', path: `/${mara}`, act: writeLong },
  { name: 'settings', path: '/#/settings' },
  {
    name: 'sign-out',
    path: '/#/settings',
    act: (page) => page.getByRole('button', { name: /everywhere|Überall/ }).click(),
  },
  { name: 'elsewhere', path: '/?elsewhere' },
  { name: 'sign-in', path: '/?signed-out' },
  { name: 'sign-in-error', path: '/?signed-out&error=wrong-credentials', act: signIn },
];

async function playAt(page, seconds) {
  await page
    .getByRole('button', { name: /^(Play|Sprachnachricht abspielen)/ })
    .first()
    .click();
  await page.waitForTimeout(seconds > 0 ? 900 : 0);
}

async function scrollUp(page) {
  const log = page.getByRole('log');
  await log.evaluate((element) => element.scrollBy(0, -1400));
  await page.waitForTimeout(500);
}

async function openDevice(page) {
  await page.locator('.device summary').nth(1).click();
}

async function openPicture(page) {
  await page.locator('.picture-frame').first().click();
}

async function hold(page) {
  const box = await page.getByRole('button', { name: mic }).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.waitForTimeout(2600);
}

async function lock(page) {
  await page.getByRole('button', { name: mic }).click();
  await page.waitForTimeout(2600);
}

async function pauseRecording(page) {
  await lock(page);
  await page.getByRole('button', { name: /^(Pause recording|Aufnahme anhalten)$/ }).click();
  await page.waitForTimeout(700);
}

async function writeLong(page) {
  const lines = ['First line of a longer message', 'second', 'third', 'fourth', 'fifth', 'sixth and last line'];
  await page.getByRole('textbox', { name: /^(Message|Nachricht)$/ }).fill(lines.join('\n'));
}

async function signIn(page) {
  await page.getByLabel(/^(Address|Adresse)/).fill('alice');
  await page.locator('#password').fill('wrong');
  await page.getByRole('button', { name: /^(Sign in|Anmelden)$/ }).click();
  await page.getByText(/is wrong|ist falsch/).waitFor();
}

async function draw(context, origin, screen, file) {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(`${file}: ${error.message}`));
  page.on('console', (entry) => entry.type() === 'error' && problems.push(`${file}: ${entry.text()}`));
  await page.goto(origin + screen.path);
  await page.locator('.shell, .sign-in, .full').waitFor();
  await page.waitForTimeout(150);
  await screen.act?.(page);
  await page.waitForTimeout(250);
  await page.screenshot({ path: join(options.out, `${file}.png`) });
  problems.push(...(await audit(page, file)));
  await page.close();
  return problems;
}

async function audit(page, file) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, impact, nodes } of violations) {
    console.log(`axe ${impact} ${id} in ${file}: ${nodes[0].html.slice(0, 160)}`);
  }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id }) => `${file}: ${id}`);
}

async function main() {
  rmSync(options.out, { recursive: true, force: true });
  mkdirSync(options.out, { recursive: true });
  const outDir = join(options.out, 'site');
  await build({ root, mode: 'demo', logLevel: 'warn', build: { outDir, emptyOutDir: true } });
  const server = await preview({ root, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } });
  const { port } = server.httpServer.address();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
    ],
  });
  const problems = [];
  for (const size of sizes) {
    for (const theme of themes) {
      for (const language of languages) {
        const context = await browser.newContext({
          viewport: { width: size.width, height: size.height },
          deviceScaleFactor: size.isMobile ? 2 : 1,
          isMobile: size.isMobile,
          hasTouch: size.isMobile,
          colorScheme: theme,
          locale: language === 'de' ? 'de-DE' : 'en-GB',
          permissions: ['microphone'],
          serviceWorkers: 'block',
        });
        for (const screen of screens) {
          const file = `${screen.name}-${size.name}-${theme}-${language}`;
          if (!wanted.test(file)) continue;
          problems.push(...(await draw(context, `http://localhost:${port}`, screen, file)));
        }
        await context.close();
      }
    }
  }
  await browser.close();
  await server.close();
  for (const problem of problems) console.log(`problem: ${problem}`);
  console.log(`${options.out}: ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

await main();
