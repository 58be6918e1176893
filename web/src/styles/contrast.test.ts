import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = import.meta.dirname;
const sheet = readFileSync(join(folder, 'tokens.css'), 'utf8');

type Rgb = readonly [number, number, number];
const themes = ['light', 'dark'] as const;

/** Linear sRGB of a token in both themes. */
const tokens = new Map<string, readonly [Rgb, Rgb]>();
for (const [, name, light, dark] of sheet.matchAll(
  /--([\w-]+): light-dark\(oklch\(([^()]+)\), oklch\(([^()]+)\)\)/gu,
)) {
  if (name && light && dark) tokens.set(name, [toLinear(light), toLinear(dark)]);
}

/** OKLCH ("L C H", alpha ignored) to linear sRGB: CSS Color 4 §9.2 and its sample matrices. */
function toLinear(oklch: string): Rgb {
  const [lightness = 0, chroma = 0, hue = 0] = oklch.split(/[\s/]+/u).map(Number);
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    clamp(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    clamp(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    clamp(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** WCAG 2.2, relative luminance of linear values. */
function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: Rgb, other: Rgb): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function colour(name: string, theme: 0 | 1): Rgb {
  const token = tokens.get(name);
  if (!token) throw new Error(`no token ${name}`);
  return token[theme];
}

const pairs: readonly (readonly [string, readonly string[]])[] = [
  ['ink', ['paper', 'surface', 'raised', 'danger-tint']],
  ['soft', ['paper', 'surface', 'raised']],
  ['accent', ['paper', 'surface', 'raised', 'tint']],
  ['on-accent', ['accent']],
  ['tint-ink', ['tint']],
  ['tint-soft', ['tint']],
  ['sealed', ['surface', 'raised', 'sealed-tint']],
  ['archive', ['surface', 'raised', 'archive-tint']],
  ['managed', ['surface', 'raised', 'managed-tint']],
  ['danger', ['paper', 'surface', 'raised']],
  ['on-danger', ['danger']],
];

for (const [theme, name] of themes.entries()) {
  test.each(pairs.flatMap(([text, grounds]) => grounds.map((ground) => [text, ground] as const)))(
    `${name}: %s on %s can be read`,
    (text, ground) => {
      expect(contrast(colour(text, theme as 0 | 1), colour(ground, theme as 0 | 1))).toBeGreaterThanOrEqual(4.5);
    },
  );
}

test.each([...themes.entries()])('initials can be read on every hue (%i, %s)', (theme) => {
  const found = [
    ...sheet.matchAll(
      /--(hued|hued-ink): light-dark\(oklch\(([\d.]+ [\d.]+) var\(--hue\)\), oklch\(([\d.]+ [\d.]+) /gu,
    ),
  ];
  expect(found).toHaveLength(2);
  for (let hue = 0; hue < 360; hue += 15) {
    const [ground, ink] = found.map((match) => toLinear(`${match[theme + 2]} ${hue}`)) as [Rgb, Rgb];
    expect(contrast(ground, ink), `hue ${hue}`).toBeGreaterThanOrEqual(4.5);
  }
});

test('black on white is 21 to 1', () => {
  expect(contrast(toLinear('1 0 0'), toLinear('0 0 0'))).toBeCloseTo(21, 1);
});

test('no other style sheet names a colour', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.css') && name !== 'tokens.css')) {
    const text = readFileSync(join(folder, file), 'utf8').replaceAll(/color-mix\(in oklch,/gu, '');
    expect(
      text.match(/#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch|lab|lch)a?\(|:\s*(?:white|black|red|gray)\b/giu),
      file,
    ).toBeNull();
  }
});
