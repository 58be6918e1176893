import { X } from 'lucide';
import { t } from '../../i18n';
import { useApp } from '../app-context';
import { Icon } from '../icon';

/** One line above the composer: what went wrong with a recording, a deleted one to be had back, or one on its way. */
export function VoiceHint() {
  const { voice } = useApp();
  const hint = voice.hint.value;
  if (voice.phase.value === 'binned') {
    return (
      <div class="voice-hint" role="status">
        <span>{t('record.deleted')}</span>
        <button type="button" class="text-button" onClick={() => voice.apply('undo')}>
          {t('common.undo')}
        </button>
      </div>
    );
  }
  if (hint === null) return voice.preparing.value.length > 0 ? <Preparing /> : null;
  return (
    <div class="voice-hint" role="status">
      <span>{t(`recordHint.${hint}`)}</span>
      <button type="button" class="icon-button" aria-label={t('common.close')} onClick={() => voice.clearHint()}>
        <Icon of={X} size={18} />
      </button>
    </div>
  );
}

/** Seen only when it takes a while: the bubble is there in a moment most times. */
function Preparing() {
  return (
    <div class="voice-hint voice-hint-plain voice-hint-late" role="status">
      <span>{t('record.preparing')}</span>
    </div>
  );
}
