import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { Message, VoiceContent } from '../model';

export type VoiceMessage = Message & { readonly content: VoiceContent };
export const rates = [1, 1.5, 2] as const;
export type Rate = (typeof rates)[number];

/** The part of `HTMLAudioElement` that is used; tests hand in their own. */
export interface AudioPort {
  src: string;
  currentTime: number;
  playbackRate: number;
  readonly duration: number;
  readonly paused: boolean;
  play(): Promise<void>;
  pause(): void;
  addEventListener(type: 'timeupdate' | 'ended' | 'pause' | 'play' | 'error', listener: () => void): void;
}

/** What the player needs of the app. */
export interface PlayerPorts {
  voiceFile(messageId: string): Promise<Blob>;
  setPosition(messageId: string, positionMs: number): void;
  markHeard(messageId: string): void;
  nextUnheard(messageId: string): Message | null;
  /** A URL the audio element can play, and what frees it. */
  toUrl(blob: Blob): Promise<{ url: string; free: () => void }>;
  loadRate(): string | null;
  storeRate(rate: string): void;
  now(): number;
  onChange?(message: VoiceMessage | null): void;
}

export type PlayerStatus = 'stopped' | 'loading' | 'playing' | 'paused';

const heardShare = 0.9;
const storePeriodMs = 2000;
/** Behind this share of the whole, playing starts from the beginning again. */
const nearEndShare = 0.97;

/** The one player of the app: one audio element, one voice message at a time. */
export class VoicePlayer {
  readonly current: ReadonlySignal<VoiceMessage | null>;
  readonly status: ReadonlySignal<PlayerStatus>;
  readonly positionMs: ReadonlySignal<number>;
  readonly rate: ReadonlySignal<Rate>;
  /** Id of the message whose file could not be had or played. */
  readonly failed: ReadonlySignal<string | null>;

  private readonly state = {
    current: signal<VoiceMessage | null>(null),
    status: signal<PlayerStatus>('stopped'),
    positionMs: signal(0),
    rate: signal<Rate>(1),
    failed: signal<string | null>(null),
    /** Where messages that do not play were moved to (ms): the store tells it only after a while. */
    sought: signal<ReadonlyMap<string, number>>(new Map()),
  };
  private free: (() => void) | null = null;
  private storedAt = 0;
  private heard: string | null = null;

  constructor(
    private readonly audio: AudioPort,
    private readonly ports: PlayerPorts,
  ) {
    this.current = this.state.current;
    this.status = this.state.status;
    this.positionMs = this.state.positionMs;
    this.rate = this.state.rate;
    this.failed = this.state.failed;
    this.state.rate.value = rates.find((rate) => String(rate) === ports.loadRate()) ?? 1;
    audio.addEventListener('timeupdate', () => this.follow());
    audio.addEventListener('ended', () => void this.end());
    audio.addEventListener('pause', () => this.settle('paused'));
    audio.addEventListener('play', () => this.settle('playing'));
    audio.addEventListener('error', () => this.fail());
  }

  /** Plays a message, or pauses it when it plays. */
  async toggle(message: VoiceMessage): Promise<void> {
    if (this.state.current.peek()?.id !== message.id) return this.start(message);
    if (this.state.status.peek() === 'playing') this.audio.pause();
    else if (this.state.status.peek() === 'paused') await this.resume();
    return undefined;
  }

  /** Goes to a position (ms) of a message; one that is not current only remembers it. */
  seek(message: VoiceMessage, positionMs: number): void {
    const target = Math.min(Math.max(0, positionMs), message.content.durationMs);
    if (this.state.current.peek()?.id === message.id && this.state.status.peek() !== 'loading') {
      this.audio.currentTime = target / 1000;
      this.state.positionMs.value = target;
    } else {
      this.state.sought.value = new Map(this.state.sought.peek()).set(message.id, target);
    }
    this.ports.setPosition(message.id, Math.round(target));
  }

  /** Where a message stands (ms): live when it is current, remembered otherwise. */
  positionOf(message: VoiceMessage): number {
    if (this.state.current.value?.id === message.id) return this.state.positionMs.value;
    return this.state.sought.value.get(message.id) ?? message.content.positionMs;
  }

  /** 1, 1.5, 2, and round again. */
  nextRate(): void {
    const index = rates.indexOf(this.state.rate.peek());
    const rate = rates[(index + 1) % rates.length] ?? 1;
    this.state.rate.value = rate;
    this.audio.playbackRate = rate;
    this.ports.storeRate(String(rate));
  }

  /** Pauses whatever plays. */
  pause(): void {
    if (!this.audio.paused) this.audio.pause();
  }

  /** Stores where the current message stands, without waiting for the next time it is due: the page may go. */
  flush(): void {
    const message = this.state.current.peek();
    const status = this.state.status.peek();
    if (message && (status === 'playing' || status === 'paused')) this.store(message, this.state.positionMs.peek());
  }

  /** Forgets the current message: at sign-out. */
  stop(): void {
    this.pause();
    this.leave();
    this.state.current.value = null;
    this.state.status.value = 'stopped';
    this.ports.onChange?.(null);
  }

  private async start(message: VoiceMessage): Promise<void> {
    this.pause();
    this.leave();
    const { durationMs } = message.content;
    const positionMs = this.positionOf(message);
    this.forgetSought(message.id);
    const from = positionMs > durationMs * nearEndShare ? 0 : positionMs;
    batch(() => {
      this.state.current.value = message;
      this.state.status.value = 'loading';
      this.state.positionMs.value = from;
      this.state.failed.value = null;
    });
    try {
      const playable = await this.ports.toUrl(await this.ports.voiceFile(message.id));
      if (this.state.current.peek()?.id !== message.id) return playable.free();
      this.free = playable.free;
      this.audio.src = playable.url;
      this.audio.currentTime = from / 1000;
      await this.resume();
      this.ports.onChange?.(message);
    } catch (error) {
      if (this.state.current.peek()?.id !== message.id) return;
      // The download took longer than the browser remembers the tap: everything is ready for the next one.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.state.status.value = 'paused';
      else this.fail();
    }
  }

  private forgetSought(id: string): void {
    const sought = new Map(this.state.sought.peek());
    if (sought.delete(id)) this.state.sought.value = sought;
  }

  private async resume(): Promise<void> {
    this.audio.playbackRate = this.state.rate.peek();
    await this.audio.play();
  }

  private follow(): void {
    const message = this.state.current.peek();
    if (!message || this.state.status.peek() === 'loading') return;
    const positionMs = this.audio.currentTime * 1000;
    this.state.positionMs.value = positionMs;
    if (positionMs >= message.content.durationMs * heardShare) this.hear(message);
    if (this.ports.now() - this.storedAt >= storePeriodMs) this.store(message, positionMs);
  }

  private settle(status: 'paused' | 'playing'): void {
    const message = this.state.current.peek();
    if (!message) return;
    this.state.status.value = status;
    if (status === 'paused') this.store(message, this.audio.currentTime * 1000);
  }

  private async end(): Promise<void> {
    const message = this.state.current.peek();
    if (!message) return;
    this.hear(message);
    this.store(message, 0);
    const next = this.ports.nextUnheard(message.id);
    if (next?.content.kind === 'voice') return this.start({ ...next, content: next.content });
    batch(() => {
      this.audio.currentTime = 0;
      this.state.positionMs.value = 0;
      this.state.status.value = 'paused';
    });
  }

  private hear(message: VoiceMessage): void {
    if (message.isOwn || message.content.isHeard || this.heard === message.id) return;
    this.heard = message.id;
    this.ports.markHeard(message.id);
  }

  private store(message: VoiceMessage, positionMs: number): void {
    this.storedAt = this.ports.now();
    this.ports.setPosition(message.id, Math.round(positionMs));
  }

  private fail(): void {
    const message = this.state.current.peek();
    if (!message) return;
    this.leave();
    batch(() => {
      this.state.failed.value = message.id;
      this.state.current.value = null;
      this.state.status.value = 'stopped';
    });
    this.ports.onChange?.(null);
  }

  private leave(): void {
    this.free?.();
    this.free = null;
  }
}
