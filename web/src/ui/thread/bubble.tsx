import { type IconNode, LockKeyhole, LockOpen, ShieldCheck, ShieldQuestionMark, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import { type Key, t } from '../../i18n';
import { timeOf } from '../../i18n/format';
import type { Message, NoteContent, UnreadableContent } from '../../model';
import { memo } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { VoiceBody } from '../voice/voice-body';
import { FileBody } from './file-body';
import { linkify } from './linkify';
import { noteText } from './note-text';
import type { Place } from './rows';
import { StateIcon, shownStateOf } from './state-icon';
import { DevicesButton, Trouble } from './trouble';

interface BubbleProps {
  readonly message: Message;
  readonly place: Place;
  /** Of the contact. */
  readonly name: string;
  /** The message came unsealed into a conversation that is sealed. */
  readonly isPlain: boolean;
}

/** One message. */
export const Bubble = memo(({ message, place, name, isPlain }: BubbleProps) => {
  const { content, isOwn } = message;
  const time = timeOf(message.at);
  const label = isOwn
    ? t('thread.fromYou', { time, state: t(`state.${shownStateOf(message)}`) })
    : t('thread.from', { name, time });
  return (
    // biome-ignore lint/a11y/useSemanticElements: inside a log, "article" the element would open a heading level
    <div
      class="bubble-row"
      data-id={message.id}
      data-own={isOwn ? '' : undefined}
      data-place={place}
      role="article"
      aria-label={label}
    >
      <div class={`bubble bubble-${content.kind}`}>
        {isPlain ? <Mark of={LockOpen} text="thread.plain" /> : null}
        {message.isUnchecked ? <Mark of={ShieldQuestionMark} text="thread.unchecked" /> : null}
        <Body message={message} name={name} />
        {isOwn ? <Trouble message={message} name={name} /> : null}
      </div>
    </div>
  );
});

/** Stands in front of what is said: one knows before one reads. */
function Mark({ of, text }: { readonly of: IconNode; readonly text: Key }) {
  return (
    <p class="plain-mark">
      <Icon of={of} size={14} />
      {t(text)}
    </p>
  );
}

function Body({ message, name }: { readonly message: Message; readonly name: string }) {
  const { content } = message;
  switch (content.kind) {
    case 'text':
      return (
        <p class="bubble-text" dir="auto">
          {linkify(content.text).map((piece, index) =>
            piece.kind === 'text' ? (
              piece.text
            ) : (
              <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer">
                {piece.text}
              </a>
            ),
          )}
          <Meta message={message} />
        </p>
      );
    case 'voice':
      return <VoiceBody message={{ ...message, content }} meta={<Meta message={message} />} />;
    case 'file':
      return <FileBody message={{ ...message, content }} meta={<Meta message={message} />} />;
    case 'unreadable':
      return <UnreadableBody message={message} content={content} name={name} meta={<Meta message={message} />} />;
    case 'note':
      return null;
  }
}

/** Time and state, at the lower right of a bubble. */
function Meta({ message }: { readonly message: Message }) {
  const time = timeOf(message.at);
  return (
    <span class="meta">
      <time dateTime={new Date(message.at).toISOString()}>{time}</time>
      {message.isOwn ? <StateIcon message={message} /> : null}
    </span>
  );
}

interface UnreadableProps {
  readonly message: Message;
  readonly content: UnreadableContent;
  readonly name: string;
  readonly meta: ComponentChildren;
}

function UnreadableBody({ message, content, name, meta }: UnreadableProps) {
  const isUpToPerson = content.reason === 'key-changed' || content.reason === 'distrusted';
  const key = isUpToPerson && message.isOwn ? (`unreadable.${content.reason}.you` as const) : null;
  return (
    <>
      <p class="bubble-text unreadable">
        <Icon of={LockKeyhole} size={16} /> {t(key ?? `unreadable.${content.reason}`, { name: shortNameOf(name) })}
        {meta}
      </p>
      {isUpToPerson ? (
        <div class="failure-actions">
          <DevicesButton jid={message.conversation} isOwn={message.isOwn} />
        </div>
      ) : null}
    </>
  );
}

interface NoteProps {
  readonly message: Message;
  readonly note: NoteContent;
  /** Of whom the note is about; empty for oneself. */
  readonly name: string;
}

const noteIcons: Partial<Record<NoteContent['note'], IconNode>> = {
  'key-changed': TriangleAlert,
  'plain-from-them': LockOpen,
};

/** A quiet centred note. */
export const Note = memo(({ message, note, name }: NoteProps) => (
  <div class="note-row" data-id={message.id}>
    <p class={`note note-${note.note}`}>
      <Icon of={noteIcons[note.note] ?? ShieldCheck} size={18} />
      <span>{noteText(note, name)}</span>
    </p>
  </div>
));
