/** A person at a window, doing and seeing what people do and see: by role and name. */
import { join } from 'node:path';
import { patienceMs, sleep, until } from './stage.mjs';

/** What browsers say on the console about a line that a scenario has cut. */
const expected = /net::ERR_|WebSocket connection to/u;

export class Person {
  /** Errors of the page that no scenario expects. */
  problems = [];
  /** What else the console may say just now. */
  tolerated = null;

  constructor(name, context, { origin, profile, domain = 'localhost' }) {
    this.name = name;
    this.context = context;
    this.origin = origin;
    this.profile = profile;
    this.domain = domain;
  }

  get address() {
    return `${this.name}@${this.domain}`;
  }

  /** Opens the app in a new tab, and looks at it from then on. */
  async open(path = '/') {
    this.page = await this.emptyTab();
    await this.page.goto(this.origin + path);
  }

  /** A tab with nothing in it yet, whose errors count as this person's. */
  async emptyTab() {
    const page = this.context.pages().find((one) => one.url() === 'about:blank') ?? (await this.context.newPage());
    page.on('pageerror', (error) => this.problems.push(`${this.name}: ${error.stack ?? error.message}`));
    page.on('console', (entry) => {
      const text = entry.text();
      if (entry.type() === 'error' && !expected.test(text) && !this.tolerated?.test(text))
        this.problems.push(`${this.name}: console: ${text}`);
    });
    await page.addInitScript(rememberFiles);
    return page;
  }

  async signIn(password, address = this.name) {
    await this.page.getByLabel('Address').fill(address);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.signedIn();
  }

  async signedIn() {
    await this.page.getByRole('navigation', { name: 'Sections' }).waitFor();
  }

  async addContact(name, shownAs = '') {
    await this.page.getByRole('button', { name: 'New chat' }).first().click();
    const sheet = this.page.getByRole('dialog', { name: 'New chat' });
    await sheet.getByLabel('Address').fill(name);
    await sheet.getByLabel('Name (optional)').fill(shownAs);
    await sheet.getByRole('button', { name: 'Add and write' }).click();
    await sheet.waitFor({ state: 'detached' });
  }

  async accept(name) {
    const button = this.page.getByRole('button', { name: `Accept ${name}` });
    await button.click();
    await button.waitFor({ state: 'detached' });
  }

  row(name) {
    return this.page.getByRole('list', { name: 'Conversations' }).getByRole('link', { name });
  }

  /** Opens the conversation with someone, from wherever one is. */
  async goTo(name) {
    await this.page.evaluate((address) => {
      location.hash = `#/chat/${encodeURIComponent(address)}`;
    }, `${name}@${this.domain}`);
    await this.thread(name).waitFor();
  }

  async goToList() {
    await this.page.evaluate(() => {
      location.hash = '#/';
    });
    await this.page.getByRole('list', { name: 'Conversations' }).waitFor({ state: 'attached' });
  }

  async goToSettings() {
    await this.page.getByRole('link', { name: 'Settings' }).click();
    await this.page.getByRole('heading', { name: 'Settings' }).waitFor();
  }

  thread(name) {
    return this.page.getByRole('region', { name: `Conversation with ${name}` });
  }

  get field() {
    return this.page.getByRole('textbox', { name: 'Message' });
  }

  async send(text) {
    await this.field.fill(text);
    await this.page.getByRole('button', { name: 'Send', exact: true }).click();
  }

  /** Writes one message after the other, faster than fingers do. */
  async sendAll(texts) {
    await this.field.waitFor();
    await this.page.evaluate(typeAll, texts);
  }

  /** What a browser tells a page when the network is there again, so that nobody waits for the back-off. */
  async wake() {
    await this.page.evaluate(() => dispatchEvent(new Event('online')));
  }

  /** All messages of the open thread that this browser has: the page draws only some of a long one at a time. */
  async allBubbles() {
    let drawn = await this.#scrolledTo('top');
    for (let first; first !== drawn[0]?.id; drawn = await this.#scrolledTo('top')) first = drawn[0]?.id;
    const all = new Map();
    for (let last; last !== drawn.at(-1)?.id; drawn = await this.#scrolledTo('bottom')) {
      last = drawn.at(-1)?.id;
      for (const bubble of drawn) all.set(bubble.id, bubble);
    }
    return [...all.values()];
  }

  async #scrolledTo(end) {
    await this.page.getByRole('log').evaluate(scrollLog, end);
    return this.bubbles();
  }

  /** The messages on the screen: who, what, how far. */
  bubbles() {
    return this.page.evaluate(readBubbles);
  }

  /** Quiet notes in the thread. */
  notes() {
    return this.page.getByRole('log').locator('.note').allTextContents();
  }

  /** Waits for a message with this text; for own ones optionally until it is in one of `states`. */
  message(text, states = null, timeoutMs = patienceMs) {
    const what = `${this.name} sees "${text}"${states ? ` as ${states}` : ''}`;
    return until(
      what,
      async () => {
        const found = (await this.bubbles()).filter((bubble) => bubble.text === text);
        if (found.length > 1) throw new Error(`${this.name} sees "${text}" ${found.length} times`);
        return found.find((bubble) => states === null || states.includes(bubble.state));
      },
      timeoutMs,
    );
  }

  /** Waits until so many voice messages are on the screen with a wave and a length, and returns them. */
  voices(count, timeoutMs = patienceMs) {
    return until(
      `${this.name} sees ${count} voice messages`,
      async () => {
        const found = (await this.bubbles()).filter(
          (bubble) => bubble.isVoice && bubble.bars > 0 && bubble.seconds > 0,
        );
        if (found.length > count) throw new Error(`${this.name} sees ${found.length} voice messages, not ${count}`);
        return found.length === count && found;
      },
      timeoutMs,
    );
  }

  get microphone() {
    return this.page.getByRole('button', { name: /^Record a voice message/u });
  }

  /** Puts a finger on the microphone, keeps it there until so much is recorded, moves it, and lifts it. */
  async hold(ms, { slideX = 0, slideY = 0 } = {}) {
    // Only when it stands still and nothing covers it.
    await this.microphone.click({ trial: true });
    const box = await this.microphone.boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const { mouse } = this.page;
    await mouse.move(x, y);
    await mouse.down();
    await this.page.getByRole('region', { name: 'Recording', exact: true }).waitFor();
    await sleep(ms);
    if (slideX || slideY) await mouse.move(x + slideX, y + slideY, { steps: 8 });
    await mouse.up();
  }

  /** What the audio element was given to play, newest last: name of the file's type and its bytes. */
  async playedFiles() {
    const files = await this.page.evaluate(() => globalThis.filesForAudio());
    return files.map(({ type, base64 }) => ({ type, bytes: Buffer.from(base64, 'base64') }));
  }

  /** Loudness of a file, 50 values a second, decoded by this browser. */
  envelope(bytes) {
    return this.page.evaluate(decodeEnvelope, bytes.toString('base64'));
  }

  /** For a failed scenario: what was on the screen. */
  async describe(folder) {
    console.log(`-- ${this.name} --`);
    for (const problem of this.problems) console.log(problem);
    if (!this.page || this.page.isClosed()) return;
    const shown = await this.page.evaluate(() => document.body.innerText);
    console.log(shown.replace(/\n+/gu, ' | ').slice(-2000));
    console.log(JSON.stringify(await this.bubbles()));
    await this.page.screenshot({ path: join(folder, `${this.name}.png`) });
    console.log(`picture: ${join(folder, `${this.name}.png`)}`);
  }
}

async function typeAll(texts) {
  const field = document.querySelector('textarea');
  for (const text of texts) {
    field.value = text;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    // The button that sends stands there once the field is known to hold something.
    while (!document.querySelector('button[type="submit"]')) await new Promise(requestAnimationFrame);
    document.querySelector('button[type="submit"]').click();
    while (field.value !== '') await new Promise(requestAnimationFrame);
  }
}

/** Scrolls as far as is drawn; what that adds is drawn when this resolves. */
async function scrollLog(log, end) {
  log.scrollTop = end === 'top' ? 0 : log.scrollHeight;
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
}

function readBubbles() {
  return [...document.querySelectorAll('[role="log"] [role="article"]')].map((element) => {
    const text = element.querySelector('p.bubble-text')?.cloneNode(true);
    text?.querySelector('.meta')?.remove();
    const isOwn = element.hasAttribute('data-own');
    const label = element.getAttribute('aria-label') ?? '';
    return {
      id: element.getAttribute('data-id'),
      text: text?.textContent?.trim() ?? null,
      isOwn,
      state: isOwn ? label.split(', ').at(-1) : null,
      isVoice: element.querySelector('[role="slider"]') !== null,
      bars: element.querySelector('.wave-rest')?.getAttribute('d')?.match(/M/gu)?.length ?? 0,
      seconds: Number(element.querySelector('[role="slider"]')?.getAttribute('aria-valuemax') ?? 0),
      trouble: element.querySelector('.failure p')?.textContent ?? null,
    };
  });
}

/** Runs in the page before the app: remembers what is made playable. */
function rememberFiles() {
  const files = [];
  const make = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob) => {
    if (blob instanceof Blob && blob.type.startsWith('audio/')) files.push(blob);
    return make(blob);
  };
  const base64Of = (blob) =>
    new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(String(reader.result).split(',')[1]);
      reader.readAsDataURL(blob);
    });
  globalThis.filesForAudio = () =>
    Promise.all(files.map(async (blob) => ({ type: blob.type, base64: await base64Of(blob) })));
}

async function decodeEnvelope(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const audio = await new OfflineAudioContext(1, 48_000, 48_000).decodeAudioData(bytes.buffer);
  const samples = audio.getChannelData(0);
  const step = audio.sampleRate / 50;
  const envelope = [];
  for (let start = 0; start + step <= samples.length; start += step) {
    let sum = 0;
    for (let index = Math.floor(start); index < Math.floor(start + step); index += 1) sum += samples[index] ** 2;
    envelope.push(Math.sqrt(sum / step));
  }
  return { envelope, seconds: audio.duration, channels: audio.numberOfChannels, sampleRate: audio.sampleRate };
}
