import { Mic } from 'lucide';
import { t } from '../../i18n';
import { clockOf } from '../../i18n/format';
import { nameOf, useApp } from '../app-context';
import { Icon } from '../icon';
import { go } from '../route';

/** A recording that waits in another conversation: one tap leads back to it. */
export function RecordingElsewhere({ openJid }: { readonly openJid: string | null }) {
  const { parley, voice } = useApp();
  const jid = voice.jid.value;
  if (jid === null || jid === openJid || voice.phase.value !== 'paused') return null;
  const time = clockOf(voice.recordedMs.value);
  return (
    <button type="button" class="elsewhere" onClick={() => go({ name: 'thread', jid })}>
      <Icon of={Mic} size={18} />
      <span>{t('record.elsewhere', { name: nameOf(parley, jid), time })}</span>
      <strong>{t('record.continue')}</strong>
    </button>
  );
}
