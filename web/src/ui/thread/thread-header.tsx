import { ArrowLeft, Info } from 'lucide';
import { t } from '../../i18n';
import type { Conversation } from '../../model';
import { Avatar } from '../avatar';
import { hasSide } from '../hooks';
import { Icon } from '../icon';
import { go, goBack } from '../route';
import { ClassChip } from './class-chip';

/** Who, which class, what they do just now. */
export function ThreadHeader({ conversation }: { readonly conversation: Conversation }) {
  const { jid, name, confidentiality, isPlainFromThem, availability } = conversation;
  const showDetails = () => go({ name: 'details', jid });
  return (
    <header class="thread-header">
      <button type="button" class="icon-button thread-back" aria-label={t('common.back')} onClick={goBack}>
        <Icon of={ArrowLeft} />
      </button>
      <Avatar jid={jid} name={name} availability={availability} />
      <div class="thread-who">
        <h1 id="thread-title" tabIndex={-1}>
          {name}
        </h1>
        <div class="thread-status">
          <ClassChip of={confidentiality} isPlainFromThem={isPlainFromThem} name={name} />
          <span class="thread-doing" aria-live="off">
            {doing(conversation)}
          </span>
        </div>
      </div>
      {hasSide() ? null : (
        <button type="button" class="icon-button" aria-label={t('thread.details', { name })} onClick={showDetails}>
          <Icon of={Info} />
        </button>
      )}
    </header>
  );
}

function doing({ isRecording, isTyping, availability }: Conversation): string {
  if (isRecording) return t('thread.recording');
  if (isTyping) return t('thread.typing');
  return availability === 'offline' ? '' : t(`contacts.${availability}`);
}
