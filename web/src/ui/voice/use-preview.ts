import { useEffect, useRef, useState } from 'preact/hooks';
import type { Recording } from '../../model';
import { playableUrl } from '../../voice/browser-player';
import type { VoiceSession } from '../../voice/session';

export interface Preview {
  readonly recording: Recording | null;
  readonly isPlaying: boolean;
  readonly positionMs: number;
  toggle(): void;
}

/** Listening to a paused recording before it is sent. Falls silent when the screen goes. */
export function usePreview(voice: VoiceSession): Preview {
  const audio = useRef<HTMLAudioElement | null>(null);
  const [recording, setRecording] = useState<Recording | null>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [positionMs, setPosition] = useState(0);
  useEffect(() => {
    let isGone = false;
    let free = () => {};
    const prepare = async () => {
      const made = await voice.preview();
      if (isGone || !made) return;
      const playable = await playableUrl(made.blob);
      if (isGone) return playable.free();
      free = playable.free;
      audio.current = listenTo(playable.url, setPlaying, setPosition);
      setRecording(made);
    };
    prepare().catch(() => {});
    return () => {
      isGone = true;
      audio.current?.pause();
      free();
    };
  }, [voice]);
  const toggle = () => {
    const element = audio.current;
    if (!element) return;
    if (element.paused) void element.play().catch(() => {});
    else element.pause();
  };
  return { recording, isPlaying, positionMs, toggle };
}

function listenTo(url: string, onPlaying: (is: boolean) => void, onPosition: (ms: number) => void): HTMLAudioElement {
  const element = new Audio(url);
  element.addEventListener('play', () => onPlaying(true));
  element.addEventListener('pause', () => onPlaying(false));
  element.addEventListener('timeupdate', () => onPosition(element.currentTime * 1000));
  element.addEventListener('ended', () => onPosition(0));
  return element;
}
