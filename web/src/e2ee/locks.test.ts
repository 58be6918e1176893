import { expect, test } from 'vitest';
import { BrowserLocks, LocalLocks, type Locks } from './locks';

/** As much of the Web Locks API as is used, on top of the local locks. */
function managerOn(locks: LocalLocks): { manager: LockManager; asked: string[] } {
  const asked: string[] = [];
  const request = (name: string, callback: () => Promise<unknown>) => {
    asked.push(name);
    return locks.run([name], callback);
  };
  return { manager: { request } as unknown as LockManager, asked };
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test.each<[string, () => Locks]>([
  ['local', () => new LocalLocks()],
  ['browser', () => new BrowserLocks(managerOn(new LocalLocks()).manager)],
])('%s locks keep tasks with a common name apart, in order, and others not', async (_name, make) => {
  const locks = make();
  const log: string[] = [];
  const { opened, open } = gate();
  const begun = gate();
  const first = locks.run(['a', 'b'], async () => {
    log.push('first in');
    begun.open();
    await opened;
    log.push('first out');
    return 1;
  });
  await begun.opened;
  const second = locks.run(['b', 'c'], async () => {
    log.push('second');
    return 2;
  });
  const third = locks.run(['d'], async () => {
    log.push('third');
    return 3;
  });
  expect(await third).toBe(3);
  open();
  expect(await Promise.all([first, second])).toEqual([1, 2]);
  expect(log).toEqual(['first in', 'third', 'first out', 'second']);
});

test('a task that fails releases its locks', async () => {
  const locks = new LocalLocks();
  await expect(locks.run(['a'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await locks.run(['a'], async () => 'yes')).toBe('yes');
});

test('tasks that want the same locks in another order do not wait for each other in a circle', async () => {
  const locks = new LocalLocks();
  const task = async () => undefined;
  await Promise.all(Array.from({ length: 20 }, (_, index) => locks.run(index % 2 ? ['a', 'b'] : ['b', 'a'], task)));
});

test('browser locks are asked for in sorted order, once each', async () => {
  const { manager, asked } = managerOn(new LocalLocks());
  await new BrowserLocks(manager).run(['b', 'a', 'b'], async () => undefined);
  expect(asked).toEqual(['a', 'b']);
});
