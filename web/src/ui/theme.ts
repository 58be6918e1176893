import { type ReadonlySignal, signal } from '@preact/signals';
import { readStored, writeStored } from '../i18n';

export type Theme = 'system' | 'light' | 'dark';
export const themes: readonly Theme[] = ['system', 'light', 'dark'];

/** Also read by public/theme.js before the first paint. */
const key = 'parley.theme';
const current = signal<Theme>(themes.find((theme) => theme === readStored(key)) ?? 'system');
export const theme: ReadonlySignal<Theme> = current;

/** Puts a theme to use and remembers it. */
export function chooseTheme(choice: Theme): void {
  current.value = choice;
  writeStored(key, choice === 'system' ? null : choice);
  applyTheme();
}

/** Makes the document, and the browser's frame around it, follow the choice. */
export function applyTheme(): void {
  const root = document.documentElement;
  if (current.peek() === 'system') delete root.dataset.theme;
  else root.dataset.theme = current.peek();
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const isDark = meta.media.includes('dark');
    const applies = current.peek() === 'system' || isDark === (current.peek() === 'dark');
    meta.dataset.color ??= meta.content;
    const other = document.querySelector<HTMLMetaElement>(
      `meta[name="theme-color"][media*="${isDark ? 'light' : 'dark'}"]`,
    );
    meta.content = applies ? meta.dataset.color : (other?.dataset.color ?? other?.content ?? meta.content);
  }
}
