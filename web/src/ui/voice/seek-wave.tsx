import { useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { lengthOf, spokenDurationOf } from '../../i18n/format';
import type { VoiceMessage } from '../../voice/player';
import { useApp } from '../app-context';
import { Wave } from './wave';

/** What one arrow key moves (ms). */
const keyStepMs = 5000;

/** The wave as a slider: drag, click or arrow keys. While dragged it shows where it would go. */
export function SeekWave({ message, positionMs }: { readonly message: VoiceMessage; readonly positionMs: number }) {
  const { player } = useApp();
  const slider = useRef<HTMLDivElement>(null);
  const [dragged, setDragged] = useState<number | null>(null);
  const { durationMs, waveform } = message.content;
  const length = lengthOf(durationMs);
  const position = dragged ?? positionMs;
  // The last part of a second counts as the end, so that the end can be reached.
  const shown = position >= durationMs ? length : Math.min(position, length);

  const at = (event: PointerEvent): number => {
    const box = slider.current?.getBoundingClientRect();
    if (!box || box.width === 0) return 0;
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * durationMs;
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    slider.current?.setPointerCapture(event.pointerId);
    setDragged(at(event));
  };
  const move = (event: PointerEvent) => {
    if (dragged !== null) setDragged(at(event));
  };
  const up = (event: PointerEvent) => {
    if (dragged === null) return;
    setDragged(null);
    player.seek(message, at(event));
  };
  const key = (event: KeyboardEvent) => {
    const target = targetOf(event.key, positionMs, durationMs);
    if (target === null) return;
    event.preventDefault();
    player.seek(message, target);
  };
  return (
    <div
      ref={slider}
      class="voice-wave"
      role="slider"
      tabIndex={0}
      aria-label={t('voice.position')}
      aria-valuemin={0}
      aria-valuemax={length / 1000}
      aria-valuenow={Math.floor(shown / 1000)}
      aria-valuetext={t('voice.positionOf', {
        position: spokenDurationOf(shown),
        duration: spokenDurationOf(length),
      })}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => setDragged(null)}
      onKeyDown={key}
    >
      <Wave bars={waveform} played={durationMs > 0 ? Math.min(1, shown / durationMs) : 0} />
    </div>
  );
}

/** Where a key leads (ms), or null when it is none of the slider's. */
export function targetOf(key: string, positionMs: number, durationMs: number): number | null {
  switch (key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return Math.max(0, positionMs - keyStepMs);
    case 'ArrowRight':
    case 'ArrowUp':
      return Math.min(durationMs, positionMs + keyStepMs);
    case 'Home':
      return 0;
    case 'End':
      return durationMs;
    default:
      return null;
  }
}
