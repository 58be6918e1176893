import { FileText, LockKeyhole, RotateCw, ShieldCheck, TriangleAlert } from 'lucide';
import type { ComponentChildren } from 'preact';
import { t } from '../../i18n';
import { sizeOf, timeOf } from '../../i18n/format';
import type { FileContent, Message, NoteContent, UnreadableContent } from '../../model';
import { useApp } from '../app-context';
import { memo } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { VoiceBody } from '../voice/voice-body';
import { linkify } from './linkify';
import { noteText } from './note-text';
import type { Place } from './rows';
import { StateIcon, shownStateOf } from './state-icon';

interface BubbleProps {
  readonly message: Message;
  readonly place: Place;
  /** Of the contact. */
  readonly name: string;
}

/** One message. */
export const Bubble = memo(({ message, place, name }: BubbleProps) => {
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
        <Body message={message} name={name} />
        {isOwn ? <Trouble message={message} name={name} /> : null}
      </div>
    </div>
  );
});

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
      return <FileBody content={content} meta={<Meta message={message} />} />;
    case 'unreadable':
      return <UnreadableBody content={content} name={name} meta={<Meta message={message} />} />;
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

function FileBody({ content, meta }: { readonly content: FileContent; readonly meta: ComponentChildren }) {
  return (
    <div class="file">
      <Icon of={FileText} />
      <div class="file-words">
        <span class="file-name">{content.name}</span>
        <span class="file-size">{t('thread.file', { size: sizeOf(content.sizeBytes) })}</span>
      </div>
      {meta}
    </div>
  );
}

interface UnreadableProps {
  readonly content: UnreadableContent;
  readonly name: string;
  readonly meta: ComponentChildren;
}

function UnreadableBody({ content, name, meta }: UnreadableProps) {
  return (
    <p class="bubble-text unreadable">
      <Icon of={LockKeyhole} size={16} /> {t(`unreadable.${content.reason}`, { name: shortNameOf(name) })}
      {meta}
    </p>
  );
}

/** Why an own message waits or failed, and what can be done. */
function Trouble({ message, name }: { readonly message: Message; readonly name: string }) {
  const { parley, attempt } = useApp();
  const values = { name: shortNameOf(name) };
  if (message.state === 'failed') {
    return (
      <div class="failure">
        <p>
          <Icon of={TriangleAlert} size={16} />
          <span>{t(`failure.${message.failure ?? 'server-error'}`, values)}</span>
        </p>
        <div class="failure-actions">
          <button type="button" onClick={() => void attempt(parley.discard(message.id))}>
            {t('common.delete')}
          </button>
          <button type="button" class="failure-retry" onClick={() => void attempt(parley.retry(message.id))}>
            <Icon of={RotateCw} size={16} />
            {t('common.retry')}
          </button>
        </div>
      </div>
    );
  }
  const reason = message.waitingFor;
  // A lost connection is said once, above the list; an upload shows its progress.
  if (reason !== 'trust' && reason !== 'devices') return null;
  return (
    <div class="failure failure-waits">
      <p>{t(`waiting.${reason}`, values)}</p>
      <div class="failure-actions">
        <button type="button" onClick={() => void attempt(parley.discard(message.id))}>
          {t('common.delete')}
        </button>
      </div>
    </div>
  );
}

interface NoteProps {
  readonly message: Message;
  readonly note: NoteContent;
  /** Of whom the note is about; empty for oneself. */
  readonly name: string;
}

/** A quiet centred note. */
export const Note = memo(({ message, note, name }: NoteProps) => (
  <div class="note-row" data-id={message.id}>
    <p class={`note note-${note.note}`}>
      <Icon of={note.note === 'key-changed' ? TriangleAlert : ShieldCheck} size={18} />
      <span>{noteText(note, name)}</span>
    </p>
  </div>
));
