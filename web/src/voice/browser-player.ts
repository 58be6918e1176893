/** Joins the player to this browser: audio element, object URLs, media keys. */
import { readStored, writeStored } from '../i18n';
import type { Parley } from '../model';
import { VoicePlayer } from './player';

const rateKey = 'parley.rate';
const skipMs = 5000;

/** @param titleOf what the lock screen shows for a message: a person's name */
export function createPlayer(parley: Parley, titleOf: (jid: string) => string): VoicePlayer {
  const audio = new Audio();
  audio.preservesPitch = true;
  const player = new VoicePlayer(audio, {
    voiceFile: (id) => parley.voiceFile(id),
    setPosition: (id, positionMs) => parley.setPosition(id, positionMs),
    markHeard: (id) => parley.markHeard(id),
    nextUnheard: (id) => parley.nextUnheard(id),
    toUrl: playableUrl,
    loadRate: () => readStored(rateKey),
    storeRate: (rate) => writeStored(rateKey, rate),
    now: () => performance.now(),
    onChange: (message) => showOnLockScreen(message ? titleOf(message.sender) : null),
  });
  connectMediaKeys(player);
  return player;
}

/** Object URL of a file in a container this browser plays. */
export async function playableUrl(blob: Blob): Promise<{ url: string; free: () => void }> {
  const isOgg = blob.type === '' || blob.type.startsWith('audio/ogg');
  const isPlayed = document.createElement('audio').canPlayType('audio/ogg; codecs=opus') !== '';
  const url = URL.createObjectURL(isOgg && !isPlayed ? await withoutOgg(blob) : blob);
  return { url, free: () => URL.revokeObjectURL(url) };
}

/** Safari before 18.4 decodes Opus, but in other containers only. */
async function withoutOgg(blob: Blob): Promise<Blob> {
  const { EncoderClient } = await import('./encoder-client');
  const worker = new EncoderClient();
  try {
    const { bytes } = await worker.repack(blob, 'mp4');
    return new Blob([bytes], { type: 'audio/mp4; codecs=opus' });
  } finally {
    worker.close();
  }
}

function showOnLockScreen(title: string | null): void {
  if (!('mediaSession' in navigator)) return;
  const artwork = [{ src: '/icons/parley-512.png', sizes: '512x512', type: 'image/png' }];
  navigator.mediaSession.metadata = title === null ? null : new MediaMetadata({ title, artist: 'Parley', artwork });
}

function connectMediaKeys(player: VoicePlayer): void {
  if (!('mediaSession' in navigator)) return;
  const skip = (byMs: number) => {
    const message = player.current.peek();
    if (message) player.seek(message, player.positionMs.peek() + byMs);
  };
  const toggle = () => {
    const message = player.current.peek();
    if (message) void player.toggle(message);
  };
  navigator.mediaSession.setActionHandler('play', toggle);
  navigator.mediaSession.setActionHandler('pause', toggle);
  navigator.mediaSession.setActionHandler('seekbackward', () => skip(-skipMs));
  navigator.mediaSession.setActionHandler('seekforward', () => skip(skipMs));
}
