/** How large and how quick the app is on a slow machine. Prints figures; none is a limit, the machine is shared. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { speak } from './speech.mjs';
import { phone, scenario } from './stage.mjs';

const slowdown = 4;

await scenario(async (stage) => {
  const speech = speak(
    stage.folder,
    'alice',
    'How many tasks does this sentence take, <break time="300ms"/> and how long is each?',
  );
  const first = [];
  let loadedBytes = 0;
  for (let round = 0; round < 3; round += 1) {
    const carol = await stage.person('carol', { size: phone });
    await throttle(carol, slowdown);
    await carol.page.goto('about:blank');
    await carol.page.goto(stage.origin);
    await carol.page.getByRole('button', { name: 'Sign in' }).waitFor();
    first.push(await sinceStart(carol));
    loadedBytes = await carol.page.evaluate(bytesLoaded);
    await carol.context.close();
  }
  const { alice, bob } = await stage.friends({ speech, size: phone });
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  for (let number = 1; number <= 10; number += 1) await alice.send(`message ${number}`);
  await alice.message('message 10', ['delivered', 'read']);
  await alice.goToList();
  await throttle(alice, slowdown);
  const again = [];
  for (let round = 0; round < 3; round += 1) {
    await alice.page.reload();
    await alice.row('bob').waitFor();
    again.push(await sinceStart(alice));
  }
  await alice.goTo('bob');
  await alice.page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 5000 })));
  const measured = alice.page
    .getByRole('region', { name: 'Recording', exact: true })
    .waitFor()
    .then(() => alice.page.evaluate(longTasksWithin, 4500));
  const [whileRecording] = await Promise.all([measured, alice.hold(5000)]);
  // What has been measured need not be waited for at a quarter of the speed.
  await throttle(alice, 1);
  await bob.voices(1);
  stage.figures({
    slowdown,
    ...sizes(stage.dist),
    signInLoadedBytes: loadedBytes,
    signInShownMs: median(first),
    chatListShownMs: median(again),
    tasksOver50MsWhileRecording: whileRecording,
  });
});

async function throttle(person, rate) {
  person.session ??= await person.context.newCDPSession(person.page);
  await person.session.send('Emulation.setCPUThrottlingRate', { rate });
}

/** What the page has fetched so far, as it came over the line. */
function bytesLoaded() {
  const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  return entries.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
}

function sinceStart(person) {
  return person.page.evaluate(() => Math.round(performance.now()));
}

/** When, after now, and for how long the main thread was busy without a pause, in milliseconds. */
function longTasksWithin(ms) {
  const began = performance.now();
  const tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      tasks.push({ atMs: Math.round(startTime - began), lastedMs: Math.round(duration) });
    }
  }).observe({ type: 'longtask' });
  return new Promise((resolve) => setTimeout(() => resolve(tasks), ms));
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Bytes after gzip: what the page itself names, and everything there is. */
function sizes(dist) {
  const files = readdirSync(dist, { recursive: true })
    .map((name) => join(dist, name))
    .filter((path) => statSync(path).isFile() && /\.(html|js|css)$/u.test(path));
  const gzipped = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
  const page = readFileSync(join(dist, 'index.html'), 'utf8');
  const loaded = files.filter((path) => path.endsWith('index.html') || page.includes(path.slice(dist.length)));
  const sum = (paths) => paths.reduce((total, path) => total + gzipped(path), 0);
  return { firstPageGzipBytes: sum(loaded), allGzipBytes: sum(files) };
}
