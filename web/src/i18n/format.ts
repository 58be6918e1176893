import { signal } from '@preact/signals';
import { language, t } from './index';

const dayMs = 86_400_000;

/** Start of the current day (ms, local time). Changes at midnight, so that "Today" stays true. */
export const today = signal(startOfDay(Date.now()));

/** Keeps `today` true while the page lives. */
export function watchDays(): void {
  const check = () => {
    const start = startOfDay(Date.now());
    if (start !== today.peek()) today.value = start;
  };
  setInterval(check, 60_000);
  document.addEventListener('visibilitychange', check);
}

/** Midnight (local time) of the day that `at` falls on, in ms. */
export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** "18:02", as the locale writes it. */
export function timeOf(at: number): string {
  return format({ timeStyle: 'short' }).format(at);
}

/** "Today", "Yesterday", "Friday", "3 March" or, in another year, "3 March 2025". */
export function dayOf(at: number): string {
  const days = daysBefore(at);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  if (days > 1 && days < 7) return format({ weekday: 'long' }).format(at);
  return format({ day: 'numeric', month: 'long', ...yearUnlessThis(at) }).format(at);
}

/** Short form for lists: "18:02" today, "Fri" in the last week, "03/03" or "03/03/25" before. */
export function listTimeOf(at: number): string {
  const days = daysBefore(at);
  if (days <= 0) return timeOf(at);
  if (days < 7) return format({ weekday: 'short' }).format(at);
  return format({ day: '2-digit', month: '2-digit', ...yearUnlessThis(at, '2-digit') }).format(at);
}

/** "Today 18:02", "Friday 18:02" … for a sentence. */
export function momentOf(at: number): string {
  return `${dayOf(at)} ${timeOf(at)}`;
}

/** "0:14", "12:03", "1:02:03" for a duration in ms. Rounded down: a clock that runs never shows the next second early. */
export function clockOf(durationMs: number): string {
  const total = Math.max(0, Math.floor(durationMs / 1000));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/** What a recording's length is shown and said as (ms): whole seconds as a clock counts them, but never none at all. */
export function lengthOf(durationMs: number): number {
  return durationMs > 0 ? Math.max(1000, Math.floor(durationMs / 1000) * 1000) : 0;
}

/** "1 minute 12 seconds", for screen readers. Rounded down, as `clockOf`: eyes and ears get the same. */
export function spokenDurationOf(durationMs: number): string {
  const total = Math.max(0, Math.floor(durationMs / 1000));
  const minutes = Math.floor(total / 60);
  const parts = minutes > 0 ? [t('time.minutes', { count: minutes })] : [];
  if (total % 60 > 0 || minutes === 0) parts.push(t('time.seconds', { count: total % 60 }));
  return parts.join(' ');
}

/** "340 kB", "1.2 MB", as the locale writes it. */
export function sizeOf(bytes: number): string {
  const [unit, divisor] = bytes >= 1_000_000 ? (['megabyte', 1_000_000] as const) : (['kilobyte', 1000] as const);
  const digits = unit === 'megabyte' ? 1 : 0;
  const options = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(language(), options).format(Math.max(bytes / divisor, digits === 0 ? 1 : 0));
}

/** "40 %" for 0.4. */
export function percentOf(share: number): string {
  return new Intl.NumberFormat(language(), { style: 'percent' }).format(share);
}

/** "1.5×", with the locale's decimal sign. */
export function rateOf(rate: number): string {
  return `${new Intl.NumberFormat(language()).format(rate)}×`;
}

function daysBefore(at: number): number {
  // Rounded, because a day on which clocks change has 23 or 25 hours.
  return Math.round((today.value - startOfDay(at)) / dayMs);
}

function yearUnlessThis(at: number, year: 'numeric' | '2-digit' = 'numeric'): Intl.DateTimeFormatOptions {
  return new Date(at).getFullYear() === new Date(today.value).getFullYear() ? {} : { year };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const locale = localeOf(language());
  const key = `${locale}${JSON.stringify(options)}`;
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(locale, options);
  formats.set(key, made);
  return made;
}

/** The browser's regional form of our language ("en-GB" for "en"), so that clocks follow the person's region. */
function localeOf(of: string): string {
  const regional = typeof navigator === 'undefined' ? [] : (navigator.languages ?? []);
  return regional.find((wish) => wish.toLowerCase().startsWith(`${of}-`)) ?? of;
}
