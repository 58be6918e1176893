import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ManualClock } from './clock';
import { WAITING_ORDER } from './db';
import type { OutboxRecord } from './records';
import { Bench, BOB, type Process, until } from './testing/bench';
import { messageRecord } from './testing/records';

let bench: Bench;
let clock: ManualClock;

const start = () => bench.start();
const crash = (process: Process) => bench.crash(process);

beforeEach(() => {
  bench = new Bench();
  clock = bench.clock;
});

afterEach(() => {
  bench.close();
  expect(bench.failures).toEqual([]);
});

describe('what the server does not take', () => {
  it('is never sent when it is too large, and holds nothing back', async () => {
    const process = await start();
    process.outbox.onReady(false);
    process.sealedBytes = 256 * 1024;
    await process.text('a');
    await until(async () => (await process.state('a'))?.state === 'failed');
    expect(await process.state('a')).toMatchObject({ failure: 'too-large' });
    expect(await process.store.db.outbox()).toEqual([]);
    process.sealedBytes = 0;
    await process.text('b');
    await until(() => process.sent.length === 1);
    expect(process.ids()).toEqual(['b']);
    expect(await process.outbox.discard('a')).toBe(true);
  });

  it('is not sent when it was sealed before, either', async () => {
    const process = await start();
    await process.text('a');
    const [entry] = await process.store.db.outbox();
    const stanza = `<message>${'ü'.repeat(128 * 1024)}</message>`;
    await process.store.db.write([await process.store.db.sealOutbox({ ...(entry as OutboxRecord), stanza })]);
    const next = await crash(process);
    next.outbox.onReady(false);
    await until(async () => (await next.state('a'))?.state === 'failed');
    expect(next.sent).toEqual([]);
  });

  it('is given up when the stream ends twice with the same message at the front', async () => {
    const process = await start();
    process.outbox.onReady(false);
    await process.text('a');
    await process.text('b');
    await until(() => process.sent.length === 2);
    await process.outbox.onCutOff();
    await process.outbox.onArrived('a', 'archive-1');
    for (let round = 0; round < 2; round += 1) {
      expect(await process.state('b')).toMatchObject({ state: 'sending' });
      process.outbox.onReady(false);
      await until(() => process.sent.length === 3 + round);
      await process.outbox.onCutOff();
    }
    expect(await process.state('b')).toMatchObject({ state: 'failed', failure: 'refused' });
    process.outbox.onReady(false);
    expect(process.sent).toHaveLength(4);
  });
});

describe('the place of a message', () => {
  const incoming = (process: Process) =>
    process.store.add(messageRecord({ id: 'in', at: clock.now() }), process.store.nextOrder());
  const shown = async (process: Process) => {
    await process.store.thread(BOB).load();
    return process.store.thread(BOB).records.map(({ id }) => id);
  };
  const previewed = (process: Process) => process.store.summaries.value.get(BOB)?.lastMessage?.id;

  it('is above what comes after it failed', async () => {
    const process = await start();
    process.outbox.onReady(false);
    process.sealedBytes = 256 * 1024;
    await process.text('a');
    await until(async () => (await process.state('a'))?.state === 'failed');
    clock.advance(1_000);
    await incoming(process);
    expect(await shown(process)).toEqual(['a', 'in']);
    expect(previewed(process)).toBe('in');
  });

  it('is above what comes while it waits for a decision, with what is held back behind it', async () => {
    const process = await start();
    process.outbox.onReady(false);
    process.sealing = 'trust';
    await process.text('a');
    await process.text('b');
    await until(async () => ((await process.store.db.getMessage('b'))?.order ?? Infinity) < WAITING_ORDER);
    await incoming(process);
    expect(await shown(process)).toEqual(['a', 'b', 'in']);
    process.sealing = 'works';
    process.outbox.kick();
    await until(() => process.sent.length === 2);
    await process.outbox.onAcked(['a', 'b']);
    expect(await shown(process)).toEqual(['in', 'a', 'b']);
  });

  it('does not hide what is newer from the list', async () => {
    let process = await start();
    process.link.isOpen = false;
    await process.outbox.enqueueText({ ...process.message('a'), at: clock.now() }, 'a');
    expect(previewed(process)).toBe('a');
    clock.advance(1_000);
    await incoming(process);
    expect(previewed(process)).toBe('in');
    process = await crash(process);
    expect(previewed(process)).toBe('in');
  });

  it('has the time at which the server took it', async () => {
    const process = await start();
    await process.text('a');
    clock.advance(86_400_000);
    process.outbox.onReady(false);
    await until(() => process.sent.length === 1);
    await process.outbox.onAcked(['a']);
    expect((await process.store.db.getMessage('a'))?.at).toBe(clock.now());
  });
});
