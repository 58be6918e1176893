import { t } from '../../i18n';
import type { NoteContent } from '../../model';
import { shortNameOf } from '../identity';

/**
 * A note as a sentence.
 *
 * @param name of the person it is about; empty for oneself
 */
export function noteText(note: NoteContent, name: string): string {
  const values = { name: shortNameOf(name), device: note.deviceName ?? '' };
  switch (note.note) {
    case 'new-device': {
      const who = name === '' ? ('note.new-device.you' as const) : ('note.new-device' as const);
      return t(note.deviceName ? `${who}.named` : who, values);
    }
    case 'device-removed':
      return t(note.deviceName ? 'note.device-removed.named' : 'note.device-removed', values);
    case 'class-changed':
      return t(`note.class-changed.${note.confidentiality ?? 'sealed'}`);
    default:
      return t(`note.${note.note}`, values);
  }
}
