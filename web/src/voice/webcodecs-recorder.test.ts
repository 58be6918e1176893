import { expect, test } from 'vitest';
import type { EncoderClient } from './encoder-client';
import { openWebCodecsRecorder, type WebCodecsParts } from './webcodecs-recorder';

/** Parts that all work, with the state of what they open; `changes` breaks one. */
function parts(changes: Partial<WebCodecsParts> = {}, context: object = {}, isSupported = true) {
  const open = new Set<string>();
  const made = Object.assign(new EventTarget(), {
    state: 'running',
    sampleRate: 48_000,
    audioWorklet: { addModule: async () => {} },
    createMediaStreamSource: () => ({ connect: () => {} }),
    resume: async () => {},
    close: async () => void open.delete('context'),
    ...context,
  });
  const encoder = {
    onFailed: null as (() => void) | null,
    open: async () => isSupported,
    run: () => {},
    close: () => void open.delete('worker'),
  };
  const all: WebCodecsParts = {
    isThere: () => true,
    createContext: () => {
      open.add('context');
      return made as unknown as AudioContext;
    },
    createEncoder: () => {
      open.add('worker');
      return encoder as unknown as EncoderClient;
    },
    createCapture: () => ({ port: { postMessage: () => {} } }) as unknown as AudioWorkletNode,
    ...changes,
  };
  return { all, open, encoder, made };
}

function stream() {
  const track = Object.assign(new EventTarget(), {
    isStopped: false,
    muted: false,
    stop: () => {
      track.isStopped = true;
    },
  });
  const of = { getTracks: () => [track], getAudioTracks: () => [track] } as unknown as MediaStream;
  return { of, track };
}

/** A deadline that is over. */
const atOnce = (_: number, act: () => void) => {
  setImmediate(act);
  return () => {};
};
const throwing = () => {
  throw new DOMException('odd', 'NotSupportedError');
};
const events = { onLevel: () => {}, onSuspended: () => {}, onInterrupted: () => {} };

test.each<[string, ReturnType<typeof parts>]>([
  ['no WebCodecs', parts({ isThere: () => false })],
  ['no audio context', parts({ createContext: throwing })],
  ['a microphone of another rate', parts({}, { createMediaStreamSource: throwing })],
  ['a context of another rate', parts({}, { sampleRate: 44_100 })],
  ['no worker', parts({ createEncoder: throwing })],
  ['no encoder', parts({}, {}, false)],
  ['no worklet', parts({}, { audioWorklet: { addModule: () => Promise.reject(new TypeError('odd')) } })],
  ['no worklet node', parts({ createCapture: throwing })],
  ['a context that stays suspended', parts({}, { resume: () => Promise.reject(new Error('odd')) })],
  ['a context that never answers', parts({ after: atOnce }, { resume: () => new Promise(() => {}) })],
])('with %s it gives up and leaves nothing open but the microphone', async (_, { all, open }) => {
  const { of, track } = stream();
  await expect(openWebCodecsRecorder(of, events, () => {}, all)).rejects.toThrow();
  expect([[...open], track.isStopped]).toEqual([[], false]);
});

test('an encoder that breaks interrupts the recording and is told of', async () => {
  const { all, open, encoder } = parts();
  const { of, track } = stream();
  const told: string[] = [];
  const recorder = await openWebCodecsRecorder(
    of,
    { ...events, onInterrupted: () => told.push('interrupted') },
    () => told.push('broken'),
    all,
  );
  expect([...open]).toEqual(['context', 'worker']);
  encoder.onFailed?.();
  expect(told).toEqual(['broken', 'interrupted']);
  recorder.discard();
  expect([[...open], track.isStopped]).toEqual([[], true]);
});

test('a phone call is told of, however the system does it, and again when the recording goes on too soon', async () => {
  const { all, made } = parts();
  const { of, track } = stream();
  const told: string[] = [];
  const on = { ...events, onSuspended: () => told.push('suspended'), onInterrupted: () => told.push('over') };
  const recorder = await openWebCodecsRecorder(of, on, () => {}, all);
  track.dispatchEvent(new Event('mute'));
  expect(told).toEqual(['suspended']);
  for (const state of ['interrupted', 'running', 'suspended', 'closed']) {
    made.state = state;
    made.dispatchEvent(new Event('statechange'));
  }
  expect(told).toEqual(['suspended', 'suspended', 'suspended']);
  track.muted = true;
  recorder.resume();
  expect(told).toHaveLength(4);
  track.muted = false;
  made.resume = () => Promise.reject(new DOMException('still on the phone', 'InvalidStateError'));
  recorder.resume();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(told).toHaveLength(5);
  track.dispatchEvent(new Event('ended'));
  expect(told.at(-1)).toBe('over');
});
