import { describe, expect, it } from 'vitest';
import { StoppedError } from './errors';
import { TaskGroup } from './tasks';

describe('a group of tasks', () => {
  it('is stopped when the last of them has ended, with those they began', async () => {
    const group = new TaskGroup();
    const steps: string[] = [];
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const outer = group.run(async () => {
      const inner = group.run(() => gate.then(() => void steps.push('inner')));
      await inner;
      steps.push('outer');
    });
    const stopped = group.stop().then(() => steps.push('stopped'));
    open();
    await Promise.all([outer, stopped]);
    expect(steps).toEqual(['inner', 'outer', 'stopped']);
  });

  it('begins none after it was stopped', async () => {
    const group = new TaskGroup();
    await group.stop();
    let isBegun = false;
    const late = group.run(async () => {
      isBegun = true;
    });
    await expect(late).rejects.toBeInstanceOf(StoppedError);
    expect(isBegun).toBe(false);
  });

  it('tells its tasks to hurry, and survives that they fail', async () => {
    const group = new TaskGroup();
    const cut = new Promise<never>((_resolve, reject) => {
      group.signal.addEventListener('abort', () => reject(new Error('cut')));
    });
    const task = group.run(() => cut);
    await Promise.all([expect(task).rejects.toThrow('cut'), group.stop()]);
    expect(group.isStopped).toBe(true);
  });
});
