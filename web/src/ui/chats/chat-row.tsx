import type { ComponentChildren } from 'preact';
import { t } from '../../i18n';
import { listTimeOf } from '../../i18n/format';
import type { Conversation } from '../../model';
import { Avatar } from '../avatar';
import { hasTwoPanes } from '../hooks';
import { Icon } from '../icon';
import { fragmentOf, go, route } from '../route';
import { StateIcon } from '../thread/state-icon';
import { previewOf } from './preview';

interface ChatRowProps {
  readonly conversation: Conversation;
  readonly isOpen: boolean;
}

/** One conversation in the list. */
export function ChatRow({ conversation, isOpen }: ChatRowProps) {
  const { jid, name, lastMessage, unread, availability } = conversation;
  return (
    <li>
      <RowLink jid={jid} isOpen={isOpen}>
        <Avatar jid={jid} name={name} availability={availability} />
        <span class="row-name">{name}</span>
        <span class="row-time">{lastMessage ? listTimeOf(lastMessage.at) : ''}</span>
        <span class="row-preview">
          <RowPreview conversation={conversation} />
        </span>
        {unread > 0 ? (
          <span class="badge">
            <span aria-hidden="true">{unread > 99 ? '99+' : unread}</span>
            <span class="visually-hidden">{t('chats.unread', { count: unread })}</span>
          </span>
        ) : null}
      </RowLink>
    </li>
  );
}

/** A row that leads to a thread. Beside an open thread the list is a switch, so that "back" skips what was peeked at. */
export function RowLink(props: {
  readonly jid: string;
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
}) {
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ name: 'thread', jid: props.jid }, hasTwoPanes() && route.peek().name === 'thread');
  };
  return (
    <a
      class="row"
      href={fragmentOf({ name: 'thread', jid: props.jid })}
      aria-current={props.isOpen ? 'true' : undefined}
      onClick={open}
    >
      {props.children}
    </a>
  );
}

function RowPreview({ conversation }: { readonly conversation: Conversation }) {
  const { isTyping, isRecording, draft, lastMessage } = conversation;
  if (isRecording || isTyping) {
    return <span class="row-live">{t(isRecording ? 'chats.recording' : 'chats.typing')}</span>;
  }
  if (draft.trim() !== '') return <span class="row-text">{t('chats.draft', { text: draft })}</span>;
  if (!lastMessage) return null;
  const preview = previewOf(lastMessage);
  const isOwnSent = lastMessage.isOwn && lastMessage.content.kind === 'voice' && !preview.isTrouble;
  return (
    <>
      {isOwnSent ? <StateIcon message={lastMessage} size={16} /> : null}
      {preview.icon ? (
        <Icon of={preview.icon} size={17} class={preview.isTrouble ? 'row-trouble' : 'row-icon'} />
      ) : null}
      <span class="row-text">
        {preview.short === undefined ? (
          preview.text
        ) : (
          <>
            <span aria-hidden="true">{preview.short}</span>
            <span class="visually-hidden">{preview.text}</span>
          </>
        )}
      </span>
    </>
  );
}
