/** Programs of third parties beside the browsers: wishes to them, and what they tell. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from './stage.mjs';

/**
 * Starts `SCRIPT.py`, which speaks as `others_wishes.py` says, and waits until it is ready.
 *
 * @returns `news`: all that was told so far; `told(what, isIt)`: waits for news that fit; `wish(name, terms)`: has
 *   something done, and returns the answer
 */
export async function program(stage, script) {
  const path = new URL(`${script}.py`, import.meta.url).pathname;
  // In a group of its own: when the scenario is killed, its input ends, and it can still end what it started.
  const child = spawn(stage.python, [path, String(stage.c2sPort), stage.folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const isGone = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  stage.atEnd(() => {
    child.stdin.end();
    return isGone;
  });
  const [news, answers] = [[], []];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line);
    ('answer' in said || 'refused' in said ? answers : news).push(said);
  });
  let wishes = 0;

  const told = (what, isIt) =>
    until(
      `${script} tells: ${what}`,
      () => {
        const trouble = news.find((item) => item.trouble);
        if (trouble) throw new Error(`${script}: ${trouble.trouble}`);
        return news.find(isIt);
      },
      25_000,
    );

  async function wish(name, terms = {}) {
    const number = wishes;
    wishes += 1;
    child.stdin.write(`${JSON.stringify({ wish: name, ...terms })}\n`);
    const said = await until(`${script} does ${name}`, () => answers[number]);
    if (said.refused) throw new Error(`${script}: ${name}: ${said.refused}`);
    return said.answer;
  }

  await told('ready', (item) => item.ready);
  return { news, told, wish };
}
