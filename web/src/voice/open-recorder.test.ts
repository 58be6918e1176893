import { expect, test } from 'vitest';
import { createRecorderOpener, type RecorderWays } from './open-recorder';
import type { Recorder, RecorderEvents } from './recorder';
import { RecorderFailure } from './recorder-failure';

const events: RecorderEvents = { onLevel: () => {}, onSuspended: () => {}, onInterrupted: () => {} };
const [coded, recorded] = [{ name: 'coded' }, { name: 'recorded' }] as unknown as [Recorder, Recorder];

/** A microphone with one track; `stops` counts how often it was stopped. */
function microphone() {
  const heard = { stops: 0, stream: {} as MediaStream };
  const track = { stop: () => (heard.stops += 1) };
  heard.stream = { getTracks: () => [track] } as unknown as MediaStream;
  return heard;
}

function opener(ways: Partial<RecorderWays>, stream = microphone().stream) {
  return createRecorderOpener({
    openMicrophone: async () => stream,
    webCodecs: async () => coded,
    mediaRecorder: async () => recorded,
    ...ways,
  });
}

test('WebCodecs comes first', async () => {
  expect(await opener({})(events)).toBe(coded);
});

test.each([new RecorderFailure('unsupported'), new TypeError('Failed to fetch dynamically imported module'), 'odd'])(
  'MediaRecorder takes over the open microphone when WebCodecs fails with %s',
  async (reason) => {
    const { stream, ...heard } = microphone();
    const taken: MediaStream[] = [];
    const open = opener(
      {
        webCodecs: () => Promise.reject(reason),
        mediaRecorder: async (given) => {
          taken.push(given);
          return recorded;
        },
      },
      stream,
    );
    expect(await open(events)).toBe(recorded);
    expect([taken, heard.stops]).toEqual([[stream], 0]);
  },
);

test('an encoder that broke in a recording is not tried again', async () => {
  const tries: string[] = [];
  const open = opener({
    webCodecs: async (_stream, _events, onBroken) => {
      tries.push('webcodecs');
      onBroken();
      return coded;
    },
  });
  expect([await open(events), await open(events), tries]).toEqual([coded, recorded, ['webcodecs']]);
});

test('the microphone is closed when nothing can record, and the failure says why', async () => {
  const heard = microphone();
  const nothing = () => Promise.reject(new RecorderFailure('unsupported'));
  await expect(opener({ webCodecs: nothing, mediaRecorder: nothing }, heard.stream)(events)).rejects.toMatchObject({
    code: 'unsupported',
  });
  expect(heard.stops).toBe(1);
  const odd = opener({ webCodecs: nothing, mediaRecorder: () => Promise.reject(new Error('odd')) });
  await expect(odd(events)).rejects.toMatchObject({ name: 'RecorderFailure', code: 'failed' });
});

test('a refused microphone is no reason to try further', async () => {
  const refused = new RecorderFailure('denied');
  const open = opener({ openMicrophone: () => Promise.reject(refused) });
  await expect(open(events)).rejects.toBe(refused);
});
