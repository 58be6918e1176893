import { CircleAlert, File, type IconNode, LockKeyhole, Mic } from 'lucide';
import { t } from '../../i18n';
import { clockOf, lengthOf } from '../../i18n/format';
import type { Message } from '../../model';
import { noteText } from '../thread/note-text';

export interface Preview {
  /** What is said of the message in one line. */
  readonly text: string;
  readonly icon?: IconNode;
  /** What is shown beside the icon, when that is shorter than `text`. */
  readonly short?: string;
  readonly isTrouble?: boolean;
}

/** A message in one line, for lists and announcements. */
export function previewOf(message: Message): Preview {
  if (message.state === 'failed') return { text: t('chats.failed'), icon: CircleAlert, isTrouble: true };
  const { content } = message;
  switch (content.kind) {
    case 'text': {
      const line = content.text.replace(/\s+/gu, ' ').trim();
      return { text: message.isOwn ? t('chats.own', { text: line }) : line };
    }
    case 'voice': {
      // How long it is shows only in the recording itself, which may still be on its way.
      if (content.durationMs === 0) return { text: t('chats.voiceArriving'), icon: Mic };
      const duration = clockOf(lengthOf(content.durationMs));
      return { text: t('chats.voice', { duration }), icon: Mic, short: duration };
    }
    case 'file':
      return { text: content.name, icon: File };
    case 'unreadable': {
      const isForOthers = content.reason === 'not-for-this-device';
      return { text: t(isForOthers ? 'chats.unreadable' : 'chats.broken'), icon: LockKeyhole };
    }
    case 'note':
      return { text: noteText(content, message.isOwn ? '' : message.sender) };
  }
}
