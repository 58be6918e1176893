/** What every scenario stands on: the line, the browsers, the operator's commands, and what the server has stored. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Line } from './line.mjs';
import { Person } from './people.mjs';

/** The web app's own modules: playwright-core, axe-core. */
export const webRequire = createRequire(new URL('../../../web/package.json', import.meta.url));
const { chromium } = webRequire('playwright-core');

export const phone = { width: 360, height: 780 };
export const desktop = { width: 1280, height: 800 };

/** How long anything may take that is sure to come. Far more than it takes: the machine may have other work. */
export const patienceMs = 60_000;

const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
];

export class Stage {
  people = [];
  #closing = [];
  #profiles = 0;

  constructor(terms) {
    Object.assign(this, terms);
    this.line = new Line(terms.httpPort);
    this.answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  }

  /**
   * Opens a browser of its own with an empty profile.
   *
   * @param options.speech WAV file that the microphone hears from the moment it is opened, once
   * @param options.profile folder of a profile that was used before
   */
  async browser({ size = desktop, speech = null, profile = null, context = {} } = {}) {
    this.#profiles += 1;
    const folder = profile ?? join(this.folder, `profile-${this.#profiles}`);
    const hears = speech === null ? [] : [`--use-file-for-fake-audio-capture=${speech}%noloop`];
    const opened = await chromium.launchPersistentContext(folder, {
      executablePath: this.chromium,
      args: [...chromiumFlags, ...hears],
      viewport: size,
      locale: 'en-GB',
      permissions: ['microphone'],
      ...context,
    });
    this.#closing.push(() => opened.close());
    opened.setDefaultTimeout(patienceMs);
    return { context: opened, profile: folder };
  }

  /** A window of its own for someone, not yet signed in. */
  async person(name, options = {}) {
    const { context, profile } = await this.browser(options);
    const person = new Person(name, context, { origin: this.origin, profile, domain: this.domain });
    this.people.push(person);
    await person.open();
    return person;
  }

  /** Two people who know each other, both signed in, each with the other's thread in their list. */
  async friends(aliceOptions = {}, bobOptions = { size: phone }) {
    const [alice, bob] = await Promise.all([this.person('alice', aliceOptions), this.person('bob', bobOptions)]);
    await Promise.all([alice.signIn(this.password), bob.signIn(this.password)]);
    await alice.addContact('bob');
    await bob.accept('alice');
    return { alice, bob };
  }

  /** Ends a person's browser as the system does when memory is short: at once, with no chance to store anything. */
  async kill(person) {
    // Chromium keeps its process id in its profile, behind the name of the machine.
    const pid = Number(readlinkSync(join(person.profile, 'SingletonLock')).split('-').at(-1));
    const isGone = new Promise((resolve) => {
      person.context.once('close', resolve);
    });
    process.kill(pid, 'SIGKILL');
    await isGone;
    rmSync(join(person.profile, 'SingletonLock'), { force: true });
  }

  /** Runs a command of the program, for example `command('user', 'suspend', 'alice@localhost')`. */
  command(...words) {
    return execFileSync(this.program, ['--config', this.config, ...words], { encoding: 'utf8' });
  }

  /** Has the server killed, stopped or started. */
  async server(wish) {
    console.log(`ask: ${wish}`);
    const { done } = await this.answers.next();
    assert.ok(!done, `nobody does "${wish}"`);
  }

  /** Everything that the server has stored, by file. */
  stored() {
    return readdirSync(this.data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .map((path) => ({ path, bytes: readFileSync(path) }));
  }

  /** Has something ended with the scenario, however it ends. */
  atEnd(end) {
    this.#closing.push(async () => end());
  }

  figures(values) {
    console.log(`figures: ${JSON.stringify(values)}`);
  }

  async close() {
    for (const close of this.#closing.reverse()) await close().catch(() => {});
    this.line.close();
    this.answers.return?.();
  }
}

/** Waits until `probe` gives something that is not null, undefined or false, and returns it. */
export async function until(what, probe, timeoutMs = patienceMs) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    last = found;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what} (last: ${last})`);
    await sleep(80);
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Plays a scenario. It fails when the play throws, and when a page reported an error nobody expected.
 *
 * @param play gets the stage
 */
export async function scenario(play) {
  const stage = new Stage(JSON.parse(process.env.PARLEY_STAGE ?? '{}'));
  await stage.line.listen(stage.proxyPort);
  const started = Date.now();
  try {
    await play(stage);
    const problems = stage.people.flatMap((person) => person.problems);
    assert.deepEqual(problems, [], 'the pages reported errors');
  } catch (error) {
    for (const person of stage.people) await person.describe(stage.folder).catch(() => {});
    console.log(error.stack ?? String(error));
    process.exitCode = 1;
  } finally {
    await stage.close();
    console.log(`${((Date.now() - started) / 1000).toFixed(1)} s`);
    process.exit();
  }
}
