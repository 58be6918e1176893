/** Draws the PNG icons of public/icons from parley.svg with CHROMIUM or /usr/bin/chromium. Run it when the mark changes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const folder = new URL('../public/icons', import.meta.url).pathname;
const mark = readFileSync(join(folder, 'parley.svg'), 'utf8');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage();
for (const size of [192, 512]) {
  await page.setViewportSize({ width: size, height: size });
  // Launchers cut maskable icons down to a circle of 80 %: the ground fills everything, the wave stays inside.
  const maskable = mark.replace(/<path fill="(#\w+)" d="[^"]*"\/>/u, '<path fill="$1" d="M-20-20h104v104h-104Z"/>');
  for (const [name, svg] of [
    ['parley', mark],
    ['parley-maskable', maskable],
  ]) {
    await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${svg}`);
    await page.screenshot({ path: join(folder, `${name}-${size}.png`), omitBackground: true });
  }
}
await browser.close();
