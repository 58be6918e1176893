/** What this browser keeps after a conversation: nothing of it in clear, nor the password, wherever one looks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { speak } from './speech.mjs';
import { phone, scenario, until } from './stage.mjs';

const password = 'ginger-Ocelot-4071-umbrella';
/** One word of every kind of content, none of which an app would contain. */
const words = { own: 'tamarisk', theirs: 'quokkas', draft: 'marzipan', waiting: 'zeppelin' };

await scenario(async (stage) => {
  for (const name of ['alice', 'bob']) {
    const command = ['--config', stage.config, 'user', 'password', `${name}@localhost`, '--password-stdin'];
    execFileSync(stage.program, command, { input: `${password}\n` });
  }
  stage.password = password;
  const speech = speak(stage.folder, 'alice', 'The third word of this sentence is kept by nobody.');
  const { alice, bob } = await stage.friends({ speech, size: phone });
  await Promise.all([alice.goTo('bob'), bob.goTo('alice')]);
  await alice.send(`a ${words.own} is a tree`);
  await bob.message(`a ${words.own} is a tree`);
  await bob.send(`and ${words.theirs} are animals`);
  await alice.message(`and ${words.theirs} are animals`);
  await alice.hold(1800);
  await bob.voices(1);
  await bob.page.getByRole('button', { name: /^Play voice message/u }).click();
  await until('it is heard', async () => (await alice.voices(1))[0].state === 'heard');
  // What waits for the line is kept, too, and what is not even sent.
  stage.line.down();
  await alice.send(`a ${words.waiting} waits`);
  await alice.message(`a ${words.waiting} waits`, ['waiting']);
  const records = async () =>
    (await alice.page.evaluate(dump)).kept
      .filter(({ where }) => where.endsWith('/conversations'))
      .map(({ text }) => text);
  // The message that waits takes its draft along; what is written behind that is the next one.
  let last = '';
  let since = 0;
  await until('nothing more is written', async () => {
    const now = JSON.stringify(await records());
    if (now !== last) [last, since] = [now, Date.now()];
    return Date.now() - since > 2000;
  });
  const before = new Set(await records());
  await alice.field.fill(`${words.draft} is a draft`);
  await until('the draft is stored', async () => (await records()).some((record) => !before.has(record)));
  await alice.goToList();
  await alice.row('bob').getByText(`Draft: ${words.draft} is a draft`).waitFor();
  await alice.page.reload();
  await alice.row('bob').getByText(`Draft: ${words.draft} is a draft`).waitFor();

  const needles = [...Object.values(words), password];
  const figures = {};
  for (const person of [alice, bob]) {
    await person.page.evaluate(plant);
    const { kept, openKeys } = await person.page.evaluate(dump);
    const found = (needle) => kept.filter(({ text }) => text.includes(needle)).map(({ where }) => where);
    // The search finds what is there to be found.
    const planted = ['indexedDB probe/values', 'indexedDB probe/values', 'cache probe /probe', 'localStorage'];
    assert.deepEqual(found('planted-in-clear').sort(), planted.sort(), person.name);
    for (const needle of needles) assert.deepEqual(found(needle), [], `${person.name} keeps "${needle}" in clear`);
    // The app's own scripts name these, too.
    const heard = ['OggS', 'OpusHead'].flatMap(found).filter((where) => !where.endsWith('.js'));
    assert.deepEqual(heard, [], `${person.name} keeps a recording in clear`);
    assert.deepEqual(openKeys, [], `${person.name} keeps keys that can be read out`);
    figures[person.name] = { places: kept.length, characters: kept.reduce((sum, { text }) => sum + text.length, 0) };
  }
  stage.figures(figures);
});

/** Leaves the same words in every kind of place, as text and as bytes. */
async function plant() {
  const bytes = new TextEncoder().encode('planted-in-clear').buffer;
  await new Promise((resolve, reject) => {
    const request = indexedDB.open('probe', 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore('values', { autoIncrement: true });
      store.add({ text: 'planted-in-clear' });
      store.add({ deep: [new Map([['bytes', new DataView(bytes)]])] });
    };
    request.onsuccess = () => resolve(request.result.close());
    request.onerror = () => reject(request.error);
  });
  const cache = await caches.open('probe');
  await cache.put('/probe', new Response(bytes));
  localStorage.setItem('probe', 'planted-in-clear');
}

/** Everything in IndexedDB, the caches and the web storage, each value as one text; bytes as Latin-1. */
async function dump() {
  const kept = [];
  const openKeys = [];
  const latin = new TextDecoder('latin1');
  const textOf = async (value) => {
    if (value instanceof CryptoKey) {
      if (value.extractable) openKeys.push(value.algorithm.name);
      return '';
    }
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return latin.decode(value);
    if (value instanceof Blob) return latin.decode(await value.arrayBuffer());
    if (typeof value !== 'object' || value === null) return String(value);
    const isIterable = value instanceof Map || value instanceof Set || Array.isArray(value);
    const parts = isIterable ? [...value] : Object.entries(value);
    return (await Promise.all(parts.map(textOf))).join(' ');
  };
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  for (const { name } of await indexedDB.databases()) {
    const db = await done(indexedDB.open(name));
    for (const store of db.objectStoreNames) {
      const all = db.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([done(all.getAllKeys()), done(all.getAll())]);
      for (const value of [...keys, ...values])
        kept.push({ where: `indexedDB ${name}/${store}`, text: await textOf(value) });
    }
    db.close();
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      kept.push({
        where: `cache ${name} ${new URL(request.url).pathname}`,
        text: `${request.url} ${latin.decode(await response.arrayBuffer())}`,
      });
    }
  }
  for (const [where, storage] of Object.entries({ localStorage, sessionStorage })) {
    for (const [key, value] of Object.entries(storage)) kept.push({ where, text: `${key} ${value}` });
  }
  return { kept, openKeys };
}
