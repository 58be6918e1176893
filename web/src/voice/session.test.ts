import { beforeEach, expect, test } from 'vitest';
import type { Recording } from '../model';
import type { Recorder, RecorderEvents } from './recorder';
import { RecorderFailure } from './recorder-failure';
import { VoiceSession } from './session';

const jid = 'mara@hospital.example';
const made: Recording = { blob: new Blob(['x']), durationMs: 3000, waveform: [1] };

let log: string[];
let events: RecorderEvents;
let timers: { ms: number; act: () => void; isCancelled: boolean }[];
let opening: () => Promise<Recorder>;
let refusal: RecorderFailure | null;
let isSendBroken: boolean;
/** What the next attempts to make a file of the recording fail with. */
let packingFailures: RecorderFailure[];
/** What making a file of the recording answers. */
let finishing: Promise<Recording>;
/** Storing lasts until this does. */
let storing: Promise<void>;
let session: VoiceSession;

const recorder: Recorder = {
  begin: () => log.push('begin'),
  pause: () => log.push('pause'),
  resume: () => log.push('resume'),
  discard: () => log.push('discard'),
  snapshot: async () => made,
  finish: async () => {
    log.push('finish');
    const failure = packingFailures.shift();
    if (failure) throw failure;
    return finishing;
  },
};

beforeEach(() => {
  log = [];
  timers = [];
  opening = async () => recorder;
  refusal = null;
  isSendBroken = false;
  packingFailures = [];
  finishing = Promise.resolve(made);
  storing = Promise.resolve();
  session = new VoiceSession({
    open: async (given) => {
      events = given;
      if (refusal) throw refusal;
      return opening();
    },
    send: async (to, recording) => {
      log.push(`takes the place in ${to}`);
      if (isSendBroken) throw new Error('no space');
      const { durationMs } = await recording;
      await storing;
      log.push(`send ${to} ${durationMs}`);
    },
    silence: () => log.push('silence'),
    onRecording: (_, isRecording) => log.push(isRecording ? 'tells recording' : 'tells nothing'),
    after: (ms, act) => {
      const timer = { ms, act, isCancelled: false };
      timers.push(timer);
      return () => {
        timer.isCancelled = true;
      };
    },
  });
});

/** Lets promises that are settled take effect. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function record(ms: number): Promise<void> {
  session.press(jid, 0);
  await settle();
  events.onLevel(0.5, ms);
}

test('what was held for three seconds is sent, once', async () => {
  await record(3000);
  session.release(3000);
  session.release(3100);
  await settle();
  expect(log).toEqual([
    'silence',
    'tells recording',
    'begin',
    'tells recording',
    'tells nothing',
    'finish',
    `takes the place in ${jid}`,
    `send ${jid} 3000`,
  ]);
  expect([session.phase.value, session.jid.value]).toEqual(['idle', null]);
});

test('less than a second is discarded with a hint', async () => {
  await record(600);
  session.release(700);
  expect(log).toContain('discard');
  expect(session.hint.value).toBe('too-short');
});

test('a refused microphone is explained until it is closed', async () => {
  refusal = new RecorderFailure('denied');
  session.press(jid, 0);
  await settle();
  expect([session.phase.value, session.jid.value, session.hint.value]).toEqual(['idle', null, 'denied']);
  expect(timers).toEqual([]);
});

test('a recording that could not be handed over comes back, paused', async () => {
  isSendBroken = true;
  await record(3000);
  session.release(3000);
  await settle();
  expect([session.phase.value, session.jid.value, session.canResume.value]).toEqual(['paused', jid, false]);
  expect(session.hint.value).toBe('failed');
  isSendBroken = false;
  session.send();
  await settle();
  expect(log.at(-1)).toBe(`send ${jid} 3000`);
});

test('a recording that could not be handed over waits while another is made', async () => {
  isSendBroken = true;
  await record(3000);
  session.release(3000);
  session.press('someone@else.example', 4000);
  await settle();
  expect([session.phase.value, session.isUnsaved]).toEqual(['holding', true]);
  isSendBroken = false;
  session.release(4100);
  session.apply('delete');
  timers
    .filter(({ isCancelled }) => !isCancelled)
    .at(-1)
    ?.act();
  expect([session.phase.value, session.jid.value, session.recordedMs.value]).toEqual(['paused', jid, 3000]);
  session.send();
  await settle();
  expect(log.at(-1)).toBe(`send ${jid} 3000`);
});

test('a recording that could not be made a file is tried again when it is sent again', async () => {
  packingFailures.push(new RecorderFailure('unpacked'));
  await record(3000);
  session.release(3000);
  await settle();
  expect([session.phase.value, session.recordedMs.value, session.hint.value]).toEqual(['paused', 3000, 'unpacked']);
  expect(log).not.toContain('discard');
  session.send();
  await settle();
  expect(log.at(-1)).toBe(`send ${jid} 3000`);
});

test('from the first word until it is stored, a recording would be lost with the page', async () => {
  let done = () => {};
  storing = new Promise((resolve) => {
    done = resolve;
  });
  session.press(jid, 0);
  expect(session.isUnsaved).toBe(false);
  await settle();
  expect(session.isUnsaved).toBe(true);
  events.onLevel(0.5, 3000);
  session.release(3000);
  expect(log).toContain(`takes the place in ${jid}`);
  await settle();
  expect([session.phase.value, session.preparing.value, session.isUnsaved]).toEqual(['idle', [jid], true]);
  done();
  await settle();
  expect([session.preparing.value, session.isUnsaved]).toEqual([[], false]);
});

test('a file that takes too long comes back as a paused recording, and is not lost when it comes', async () => {
  let deliver = (_: Recording) => {};
  finishing = new Promise((resolve) => {
    deliver = resolve;
  });
  await record(3000);
  session.release(3000);
  timers
    .filter(({ isCancelled }) => !isCancelled)
    .at(-1)
    ?.act();
  await settle();
  expect([session.phase.value, session.hint.value, session.preparing.value]).toEqual(['paused', 'unpacked', []]);
  session.send();
  deliver(made);
  await settle();
  expect(log.at(-1)).toBe(`send ${jid} 3000`);
  expect(log.filter((line) => line === 'finish')).toHaveLength(1);
});

test('a recording that is lost is said to have failed, and nothing is left open', async () => {
  packingFailures.push(new RecorderFailure('failed'));
  await record(3000);
  session.release(3000);
  await settle();
  expect([session.phase.value, session.jid.value, session.hint.value]).toEqual(['idle', null, 'failed']);
  expect(log.at(-1)).toBe('discard');
});

test('a deleted recording can be had back for some seconds', async () => {
  await record(3000);
  session.apply('slide-lock');
  session.apply('delete');
  const bin = timers.at(-1);
  session.apply('undo');
  expect([session.phase.value, bin?.isCancelled]).toEqual(['paused', true]);
  session.apply('delete');
  timers.at(-1)?.act();
  expect([session.phase.value, session.jid.value]).toEqual(['idle', null]);
  expect(log).toContain('discard');
});

test('a microphone that is taken away leaves the recording, but no way to go on', async () => {
  await record(3000);
  events.onInterrupted();
  expect([session.phase.value, session.canResume.value, session.hint.value]).toEqual(['paused', false, 'interrupted']);
});

test('that one records is told as long as one does, and not in a pause', async () => {
  await record(3000);
  session.apply('slide-lock');
  log = [];
  events.onLevel(0.5, 3040);
  session.apply('pause');
  events.onLevel(0.5, 3080);
  expect(log).toEqual(['tells recording', 'pause', 'tells nothing']);
});

test('a phone call pauses the recording, which can go on afterwards', async () => {
  await record(3000);
  events.onSuspended();
  expect([session.phase.value, session.canResume.value, session.hint.value]).toEqual(['paused', true, 'interrupted']);
  session.apply('resume');
  expect([session.phase.value, log.at(-1)]).toEqual(['locked', 'resume']);
});

test('an answer to a request that was made anew is not waited for, and its microphone closed', async () => {
  const openers: ((recorder: Recorder) => void)[] = [];
  opening = () => new Promise((resolve) => openers.push(resolve));
  session.press(jid, 0);
  session.apply('leave');
  expect(session.phase.value).toBe('opening-abandoned');
  session.press(jid, 1000);
  openers[1]?.(recorder);
  await settle();
  expect(session.phase.value).toBe('holding');
  const closed: string[] = [];
  openers[0]?.({ ...recorder, discard: () => closed.push('late') });
  await settle();
  expect([session.phase.value, closed]).toEqual(['holding', ['late']]);
});

test('a second press while one records changes nothing', async () => {
  await record(3000);
  session.press('someone@else.example', 10);
  expect([session.jid.value, session.phase.value]).toEqual([jid, 'holding']);
});
