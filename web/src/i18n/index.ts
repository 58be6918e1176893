import { signal } from '@preact/signals';
import type { en } from './en';

export type Plural = { readonly other: string } & { readonly [Category in Intl.LDMLPluralRule]?: string };
export type Key = keyof typeof en;
/** What every language has to say: the same keys as English, plurals where English has plurals. */
export type Catalogue = { readonly [K in Key]: (typeof en)[K] extends string ? string : Plural };
export type Values = Readonly<Record<string, string | number>>;

const loaders = {
  en: () => import('./en').then((module): Catalogue => module.en),
  de: () => import('./de').then((module): Catalogue => module.de),
} as const;

export type Language = keyof typeof loaders;
export const languages = Object.keys(loaders) as Language[];
/** Each language in its own words. */
export const languageNames: Readonly<Record<Language, string>> = { en: 'English', de: 'Deutsch' };

const choiceKey = 'parley.language';
const current = signal<{ language: Language; catalogue: Catalogue } | null>(null);

/** The best of our languages for a list of wishes ("de-AT", "en"), best wish first. */
export function negotiate(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const primary = wish.toLowerCase().split('-')[0];
    const match = languages.find((language) => language === primary);
    if (match) return match;
  }
  return 'en';
}

/** The language chosen in the settings, or null for the browser's. */
export function chosenLanguage(): Language | null {
  const stored = readStored(choiceKey);
  return languages.find((language) => language === stored) ?? null;
}

/** Loads the catalogue for the choice (null: as the browser wishes) and redraws every text. */
export async function chooseLanguage(choice: Language | null): Promise<void> {
  writeStored(choiceKey, choice);
  await loadLanguage(choice ?? negotiate(navigator.languages));
}

/** Loads the catalogue that applies at start-up. */
export async function startLanguage(): Promise<void> {
  await loadLanguage(chosenLanguage() ?? negotiate(navigator.languages));
}

async function loadLanguage(language: Language): Promise<void> {
  setCatalogue(language, await loaders[language]());
  document.documentElement.lang = language;
}

/** Puts a catalogue to use that is loaded already. */
export function setCatalogue(language: Language, catalogue: Catalogue): void {
  current.value = { language, catalogue };
}

/** The language in use; reading it in a component redraws it on a change. */
export function language(): Language {
  return current.value?.language ?? 'en';
}

/** The text for a key, with its values filled in. Plurals choose by `values.count`. */
export function t(key: Key, values: Values = {}): string {
  const active = current.value;
  if (active === null) return '';
  const entry = active.catalogue[key];
  const text = typeof entry === 'string' ? entry : choosePlural(entry, Number(values.count), active.language);
  return text.replace(/\{(\w+)\}/gu, (hole, name: string) => {
    const value = values[name];
    if (value === undefined) return hole;
    return typeof value === 'number' ? numberFormat(active.language).format(value) : value;
  });
}

function choosePlural(entry: Plural, count: number, of: Language): string {
  return entry[new Intl.PluralRules(of).select(count)] ?? entry.other;
}

const numberFormats = new Map<Language, Intl.NumberFormat>();

function numberFormat(of: Language): Intl.NumberFormat {
  const known = numberFormats.get(of);
  if (known) return known;
  const made = new Intl.NumberFormat(of);
  numberFormats.set(of, made);
  return made;
}

/** Reads a small setting; null when there is none or storage is blocked. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Stores or removes a small setting; a blocked storage is not worth an error. */
export function writeStored(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // The choice then lasts as long as the page.
  }
}
