import { LoaderCircle, Pause, Play } from 'lucide';
import type { ComponentChildren } from 'preact';
import { t } from '../../i18n';
import { clockOf, lengthOf, percentOf, rateOf, spokenDurationOf } from '../../i18n/format';
import type { VoiceMessage } from '../../voice/player';
import { useApp } from '../app-context';
import { Icon } from '../icon';
import { SeekWave } from './seek-wave';

interface VoiceBodyProps {
  readonly message: VoiceMessage;
  readonly meta: ComponentChildren;
}

/** A voice message inside its bubble. */
export function VoiceBody({ message, meta }: VoiceBodyProps) {
  const { player } = useApp();
  const { durationMs, isHeard, isUnavailable } = message.content;
  const isCurrent = player.current.value?.id === message.id;
  const status = isCurrent ? player.status.value : 'stopped';
  const positionMs = player.positionOf(message);
  const isUnheard = !message.isOwn && !isHeard;
  if (isUnavailable) return <Unplayable text={t('voice.unavailable')} meta={meta} />;
  const label =
    status === 'playing' ? t('voice.pause') : t('voice.play', { duration: spokenDurationOf(lengthOf(durationMs)) });
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div class="voice" role="group" aria-label={t('voice.label')}>
      <button type="button" class="voice-play" aria-label={label} onClick={() => void player.toggle(message)}>
        <PlayIcon status={status} />
      </button>
      <SeekWave message={message} positionMs={positionMs} />
      <div class="voice-line">
        <span class="voice-time">
          <Progress message={message} status={status} positionMs={positionMs} />
        </span>
        <button
          type="button"
          class="speed"
          aria-label={t('voice.speed', { rate: rateOf(player.rate.value) })}
          onClick={() => player.nextRate()}
        >
          {rateOf(player.rate.value)}
        </button>
        {isUnheard ? <span class="unheard" role="img" aria-label={t('voice.unheard')} /> : null}
        {meta}
      </div>
      {player.failed.value === message.id ? (
        <p class="voice-trouble" role="alert">
          {t('voice.unplayable')}
        </p>
      ) : null}
    </div>
  );
}

function PlayIcon({ status }: { readonly status: string }) {
  if (status === 'loading') return <Icon of={LoaderCircle} class="spin" />;
  return <Icon of={status === 'playing' ? Pause : Play} filled />;
}

interface ProgressProps {
  readonly message: VoiceMessage;
  readonly status: string;
  readonly positionMs: number;
}

/** Elapsed and total while one listens; the total before; the share of an upload or download under way. */
function Progress({ message, status, positionMs }: ProgressProps) {
  const { durationMs, progress } = message.content;
  if (progress !== undefined && progress < 1) {
    const percent = percentOf(progress);
    const label = message.isOwn ? t('voice.uploading', { percent }) : t('voice.downloading');
    return (
      <>
        <span aria-hidden="true">{percent}</span>
        <span class="visually-hidden">{label}</span>
      </>
    );
  }
  const isStarted = status === 'playing' || positionMs > 0;
  const length = clockOf(lengthOf(durationMs));
  return isStarted ? `${clockOf(positionMs)} / ${length}` : length;
}

function Unplayable({ text, meta }: { readonly text: string; readonly meta: ComponentChildren }) {
  return (
    <p class="bubble-text unreadable">
      {text}
      {meta}
    </p>
  );
}
