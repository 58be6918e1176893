import { Check, CheckCheck, CircleAlert, Clock, Ear } from 'lucide';
import { t } from '../../i18n';
import type { Message } from '../../model';
import { Icon } from '../icon';

export type ShownState = 'waiting' | 'sending' | 'sent' | 'delivered' | 'read' | 'heard' | 'failed';

/** What is shown of an own message's way; a voice message may have been heard. */
export function shownStateOf(message: Message): ShownState {
  if (message.content.kind === 'voice' && message.content.isHeard && message.state !== 'failed') return 'heard';
  return message.state ?? 'sent';
}

const icons = {
  waiting: Clock,
  sending: Clock,
  sent: Check,
  delivered: CheckCheck,
  read: CheckCheck,
  heard: Ear,
  failed: CircleAlert,
};

/** How far an own message is: clock, one tick, two, two in the accent colour, an ear. */
export function StateIcon({ message, size = 16 }: { readonly message: Message; readonly size?: number }) {
  const state = shownStateOf(message);
  return <Icon of={icons[state]} size={size} label={t(`state.${state}`)} class={`state state-${state}`} />;
}
