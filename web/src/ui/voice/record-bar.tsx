import { ChevronLeft, Mic, Pause, Play, Trash2 } from 'lucide';
import { useEffect } from 'preact/hooks';
import { t } from '../../i18n';
import { clockOf } from '../../i18n/format';
import { liveLevels } from '../../voice/session';
import { useApp } from '../app-context';
import { Icon } from '../icon';
import { usePreview } from './use-preview';
import { Wave } from './wave';

/** What stands in the composer while something is recorded. */
export function RecordBar({ jid }: { readonly jid: string }) {
  const { voice, announce } = useApp();
  const phase = voice.phase.value;
  const isPaused = phase === 'paused';
  const isRunning = phase === 'holding' || phase === 'locked';
  useEffect(() => {
    if (isRunning) announce(t('record.recording'));
    if (isPaused) announce(t('record.paused'));
  }, [isRunning, isPaused, announce]);
  if (phase === 'holding' || phase === 'opening') return <HoldBar isOpen={phase === 'holding'} />;
  return isPaused ? <PausedBar key={jid} /> : <LockedBar isOpen={phase === 'locked'} />;
}

/** Finger down: what has been said, and what releasing or sliding does. */
function HoldBar({ isOpen }: { readonly isOpen: boolean }) {
  return (
    <section class="record" aria-label={t(isOpen ? 'record.recording' : 'record.starting')}>
      <RecordDot isOpen={isOpen} />
      <Elapsed />
      <LiveWave />
      <p class="record-hints">
        <span>{isOpen ? t('record.release') : t('record.starting')}</span>
        <span class="record-slide">
          <Icon of={ChevronLeft} size={16} />
          {t('record.slide')}
        </span>
      </p>
    </section>
  );
}

/** Hands-free. */
function LockedBar({ isOpen }: { readonly isOpen: boolean }) {
  const { voice } = useApp();
  return (
    <section class="record" aria-label={t(isOpen ? 'record.recording' : 'record.starting')}>
      <DeleteButton />
      <RecordDot isOpen={isOpen} />
      <Elapsed />
      <LiveWave />
      <button
        type="button"
        class="icon-button"
        aria-label={t('record.pause')}
        disabled={!isOpen}
        onClick={() => voice.apply('pause')}
      >
        <Icon of={Pause} />
      </button>
    </section>
  );
}

/** Paused: hear it, go on, delete it. */
function PausedBar() {
  const { voice } = useApp();
  const preview = usePreview(voice);
  const isListening = preview.isPlaying;
  return (
    <section class="record" aria-label={t('record.paused')}>
      <DeleteButton />
      <button
        type="button"
        class="icon-button"
        aria-label={t(isListening ? 'record.stopListening' : 'record.listen')}
        disabled={preview.recording === null}
        onClick={preview.toggle}
      >
        <Icon of={isListening ? Pause : Play} filled size={20} />
      </button>
      <Wave
        class="record-wave"
        bars={preview.recording?.waveform ?? []}
        played={preview.positionMs / Math.max(1, voice.recordedMs.value)}
      />
      <span class="record-time">{clockOf(isListening ? preview.positionMs : voice.recordedMs.value)}</span>
      {voice.canResume.value ? (
        <button
          type="button"
          class="icon-button text-danger"
          aria-label={t('record.resume')}
          onClick={() => voice.apply('resume')}
        >
          <Icon of={Mic} />
        </button>
      ) : null}
    </section>
  );
}

function DeleteButton() {
  const { voice } = useApp();
  return (
    <button type="button" class="icon-button" aria-label={t('record.delete')} onClick={() => voice.apply('delete')}>
      <Icon of={Trash2} />
    </button>
  );
}

function RecordDot({ isOpen }: { readonly isOpen: boolean }) {
  return <span class={isOpen ? 'record-dot' : 'record-dot record-dot-waits'} aria-hidden="true" />;
}

function Elapsed() {
  const time = clockOf(useApp().voice.recordedMs.value);
  return (
    <span class="record-time" role="timer" aria-live="off" aria-label={t('record.elapsed', { time })}>
      {time}
    </span>
  );
}

function LiveWave() {
  const levels = useApp().voice.levels.value;
  const silence = new Array<number>(Math.max(0, liveLevels - levels.length)).fill(0);
  return <Wave class="record-wave record-wave-live" bars={[...silence, ...levels]} played={1} />;
}
