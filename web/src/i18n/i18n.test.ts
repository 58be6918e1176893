import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';
import { de } from './de';
import { en } from './en';
import { clockOf, lengthOf, spokenDurationOf } from './format';
import { type Key, languages, negotiate, setCatalogue, t } from './index';

const catalogues = { en, de };
const webFolder = join(import.meta.dirname, '../..');
const uiFolder = join(import.meta.dirname, '../ui');

const holes = (entry: unknown): string[] => [...new Set(JSON.stringify(entry).match(/\{\w+\}/gu) ?? [])].sort();

test('every language has a catalogue with the same keys', () => {
  expect(Object.keys(catalogues).sort()).toEqual([...languages].sort());
  for (const catalogue of Object.values(catalogues)) expect(Object.keys(catalogue)).toEqual(Object.keys(en));
});

test('every message has the same holes in every language, plurals all their forms', () => {
  for (const key of Object.keys(en) as Key[]) {
    expect(holes(de[key]), key).toEqual(holes(en[key]));
    for (const [language, catalogue] of Object.entries(catalogues)) {
      const entry = catalogue[key];
      if (typeof entry === 'string') continue;
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      expect(Object.keys(entry).sort(), key).toEqual([...forms].sort());
    }
  }
});

test('numbers choose their form and are written as the language writes them', () => {
  setCatalogue('de', de);
  expect(t('connection.waiting', { count: 1 })).toBe('1 Nachricht wird gesendet, sobald sie wieder da ist.');
  expect(t('connection.waiting', { count: 1234 })).toContain('1.234 Nachrichten');
  setCatalogue('en', en);
  expect(t('connection.waiting', { count: 2 })).toBe('2 messages will be sent when it is back.');
});

test('what a person wrote is never filled in again', () => {
  setCatalogue('en', en);
  expect(t('thread.incoming', { name: '{text}', text: '{name}' })).toBe('{text}: {name}');
});

test('the first wish that we speak wins', () => {
  expect(negotiate(['fr-FR', 'de-AT', 'en'])).toBe('de');
  expect(negotiate(['fr'])).toBe('en');
});

test('durations', () => {
  expect([clockOf(0), clockOf(14_999), clockOf(72_000), clockOf(3_723_000)]).toEqual([
    '0:00',
    '0:14',
    '1:12',
    '1:02:03',
  ]);
  setCatalogue('en', en);
  expect([spokenDurationOf(1000), spokenDurationOf(72_000)]).toEqual(['1 second', '1 minute 12 seconds']);
});

test.each([
  [0, '0:00', '0 seconds'],
  [40, '0:01', '1 second'],
  [999, '0:01', '1 second'],
  [1999, '0:01', '1 second'],
  [2600, '0:02', '2 seconds'],
  [59_999, '0:59', '59 seconds'],
])('a recording of %i ms is shown as long as it is said to be', (durationMs, shown, said) => {
  setCatalogue('en', en);
  expect([clockOf(lengthOf(durationMs)), spokenDurationOf(lengthOf(durationMs))]).toEqual([shown, said]);
});

test('what browsers show without the app is in the catalogues, in every language', () => {
  const page = readFileSync(join(webFolder, 'index.html'), 'utf8');
  const manifest = JSON.parse(readFileSync(join(webFolder, 'public/manifest.webmanifest'), 'utf8'));
  for (const [language, catalogue] of Object.entries(catalogues)) {
    expect(page).toContain(`<p lang="${language}">${catalogue['app.noScript']}</p>`);
    const description = language === manifest.lang ? manifest.description : manifest.description_localized[language];
    expect(description, language).toBe(catalogue['signIn.lead']);
  }
  expect(page).toContain(`<meta name="description" content="${en['signIn.lead']}">`);
});

const shownAttributes = new Set(['aria-label', 'aria-valuetext', 'placeholder', 'title', 'alt', 'label']);

/** All words that the JSX of a file shows as they stand. */
function literalsIn(file: string): string[] {
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
    const { type, value, name } = node as { type?: string; value?: unknown; name?: { name?: string } };
    if (type === 'JSXText' && typeof value === 'string') found.push(value);
    const attribute = type === 'JSXAttribute' && shownAttributes.has(name?.name ?? '') ? value : null;
    if (typeof attribute === 'object' && attribute !== null && 'value' in attribute)
      found.push(String(attribute.value));
    Object.values(node).forEach(visit);
  };
  const { program, errors } = parseSync(file, readFileSync(file, 'utf8'));
  expect(errors).toEqual([]);
  visit(program);
  return found.filter((text) => /\p{L}/u.test(text));
}

const sources = readdirSync(uiFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /(?<!\.test)\.tsx?$/u.test(name),
);

test.each(sources.filter((name) => name.endsWith('.tsx')))('%s shows no words past the catalogues', (name) => {
  expect(literalsIn(join(uiFolder, name))).toEqual([]);
});

test('every message is used', () => {
  const all = [...sources.map((name) => join(uiFolder, name)), join(import.meta.dirname, 'format.ts')]
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const prefixes = [...all.matchAll(/`([\w.-]+)\$\{/gu)].map((match) => match[1] ?? '');
  // These stand in index.html, as the test above says.
  const unused = Object.keys(en).filter(
    (key) =>
      key !== 'app.noScript' &&
      !all.includes(`'${key}'`) &&
      !all.includes(`"${key}"`) &&
      !prefixes.some((prefix) => prefix.includes('.') && key.startsWith(prefix)),
  );
  expect(unused).toEqual([]);
});
