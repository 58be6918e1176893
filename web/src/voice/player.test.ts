import { beforeEach, expect, test } from 'vitest';
import type { Message } from '../model';
import { type AudioPort, type PlayerPorts, type VoiceMessage, VoicePlayer } from './player';

class FakeAudio implements AudioPort {
  src = '';
  currentTime = 0;
  playbackRate = 1;
  duration = 10;
  paused = true;
  private readonly listeners = new Map<string, () => void>();

  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
  }

  async play(): Promise<void> {
    this.paused = false;
    this.emit('play');
  }

  pause(): void {
    this.paused = true;
    this.emit('pause');
  }

  emit(type: string): void {
    this.listeners.get(type)?.();
  }

  at(seconds: number): void {
    this.currentTime = seconds;
    this.emit('timeupdate');
  }
}

let audio: FakeAudio;
let log: string[];
let now: number;
let next: Message | null;
let ports: PlayerPorts;
let player: VoicePlayer;

beforeEach(() => {
  audio = new FakeAudio();
  log = [];
  now = 0;
  next = null;
  ports = {
    voiceFile: async () => new Blob(['x']),
    setPosition: (id, positionMs) => log.push(`${id} at ${positionMs}`),
    markHeard: (id) => log.push(`${id} heard`),
    nextUnheard: () => next,
    toUrl: async () => ({ url: 'blob:x', free: () => log.push('freed') }),
    loadRate: () => '1.5',
    storeRate: (rate) => log.push(`rate ${rate}`),
    now: () => now,
  };
  player = new VoicePlayer(audio, ports);
});

function voice(id: string, more: Partial<VoiceMessage['content']> = {}, isOwn = false): VoiceMessage {
  const content = {
    kind: 'voice',
    durationMs: 10_000,
    sizeBytes: 1,
    waveform: [],
    isHeard: false,
    positionMs: 0,
    ...more,
  } as const;
  return { id, conversation: 'a', isOwn, sender: 'a', at: 0, confidentiality: 'sealed', content };
}

test('plays, pauses and goes on where it was', async () => {
  const message = voice('one');
  await player.toggle(message);
  expect([player.status.value, audio.playbackRate]).toEqual(['playing', 1.5]);
  audio.at(4);
  await player.toggle(message);
  expect([player.status.value, log.at(-1)]).toEqual(['paused', 'one at 4000']);
  await player.toggle(message);
  expect([player.status.value, audio.currentTime]).toEqual(['playing', 4]);
});

test('begins at the remembered position, from the start when that is the end', async () => {
  await player.toggle(voice('one', { positionMs: 6000 }));
  expect(audio.currentTime).toBe(6);
  await player.toggle(voice('two', { positionMs: 9900 }));
  expect(audio.currentTime).toBe(0);
});

test('heard is told once, at nine tenths, and never for one of our own', async () => {
  await player.toggle(voice('one'));
  audio.at(8.9);
  expect(log).not.toContain('one heard');
  audio.at(9);
  audio.at(9.5);
  expect(log.filter((entry) => entry === 'one heard')).toHaveLength(1);
  await player.toggle(voice('own', {}, true));
  audio.at(9.5);
  expect(log).not.toContain('own heard');
});

test('the position is stored at most every two seconds while it plays', async () => {
  await player.toggle(voice('one'));
  for (const [seconds, at] of [
    [1, 1000],
    [2, 2000],
    [3, 3000],
    [4, 4000],
  ] as const) {
    now = at;
    audio.at(seconds);
  }
  expect(log).toEqual(['one at 2000', 'one at 4000']);
});

test('when the page goes the position is stored at once', async () => {
  player.flush();
  await player.toggle(voice('one'));
  now = 1000;
  audio.at(1.4);
  expect(log).toEqual([]);
  player.flush();
  expect(log).toEqual(['one at 1400']);
});

test('the next unheard plays on', async () => {
  next = voice('two');
  await player.toggle(voice('one'));
  audio.emit('ended');
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect([player.current.value?.id, player.status.value]).toEqual(['two', 'playing']);
  expect(log).toEqual(expect.arrayContaining(['one heard', 'one at 0', 'freed']));
});

test('a file that cannot be had is said, not thrown', async () => {
  ports.voiceFile = () => Promise.reject(new Error('gone'));
  await player.toggle(voice('one'));
  expect([player.failed.value, player.status.value, player.current.value]).toEqual(['one', 'stopped', null]);
});

test('a slow file does not play once another message was chosen', async () => {
  let deliver = (_: Blob) => {};
  const slow = new Promise<Blob>((resolve) => {
    deliver = resolve;
  });
  ports.voiceFile = (id) => (id === 'slow' ? slow : Promise.resolve(new Blob(['x'])));
  const waiting = player.toggle(voice('slow'));
  await player.toggle(voice('fast'));
  deliver(new Blob(['x']));
  await waiting;
  expect(player.current.value?.id).toBe('fast');
});

test('seeking stays inside, and is remembered for a message that does not play', async () => {
  const message = voice('one');
  player.seek(message, 3000);
  expect([log.at(-1), audio.currentTime]).toEqual(['one at 3000', 0]);
  await player.toggle(message);
  player.seek(message, 99_000);
  expect(audio.currentTime).toBe(10);
});

test('a message starts where it was moved to before', async () => {
  const message = voice('one');
  player.seek(message, 3000);
  expect(player.positionOf(message)).toBe(3000);
  await player.toggle(message);
  expect(audio.currentTime).toBe(3);
  await player.toggle(voice('two'));
  expect(player.positionOf(message)).toBe(0);
});

test('speeds go round and are remembered', () => {
  player.nextRate();
  player.nextRate();
  player.nextRate();
  expect([player.rate.value, log]).toEqual([1.5, ['rate 2', 'rate 1', 'rate 1.5']]);
});
