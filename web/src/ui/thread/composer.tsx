import { SendHorizontal } from 'lucide';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Parley } from '../../model';
import { useApp } from '../app-context';
import { hasFinePointer } from '../hooks';
import { Icon } from '../icon';
import { MicButton } from '../voice/mic-button';
import { RecordBar } from '../voice/record-bar';
import { VoiceHint } from '../voice/voice-hint';

/** Without a key for this long (ms), one is no longer typing. */
const typingMs = 5000;

interface ComposerProps {
  readonly jid: string;
  /** As it was when the thread was opened. */
  readonly draft: string;
}

/** Where one writes or speaks. While a recording of this conversation is under way it takes the place of the field. */
export function Composer({ jid, draft }: ComposerProps) {
  const { parley, voice, attempt } = useApp();
  const [text, setText] = useState(draft);
  const field = useRef<HTMLTextAreaElement>(null);
  const typing = useTyping(parley, jid);
  const isRecording = voice.jid.value === jid && voice.phase.value !== 'idle' && voice.phase.value !== 'binned';
  useAutoHeight(field, text, isRecording);
  useFocus(field);

  const change = (value: string) => {
    setText(value);
    parley.setDraft(jid, value);
    typing(value.trim() !== '');
  };
  const send = async () => {
    const said = text.trim();
    if (said === '') return;
    change('');
    field.current?.focus();
    // What could not even be put into the outbox comes back.
    if (!(await attempt(parley.sendText(jid, said)))) change(said);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !hasFinePointer()) return;
    event.preventDefault();
    void send();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void send();
  };
  return (
    <form class="composer" data-recording={isRecording ? voice.phase.value : undefined} onSubmit={submit}>
      <VoiceHint />
      {isRecording ? (
        <RecordBar jid={jid} />
      ) : (
        <textarea
          ref={field}
          id="message"
          class="composer-field"
          rows={1}
          placeholder={t('compose.label')}
          aria-label={t('compose.label')}
          value={text}
          dir="auto"
          enterkeyhint="enter"
          autocomplete="off"
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={pressed}
        />
      )}
      {text.trim() !== '' && !isRecording ? (
        <button type="submit" class="round-button" aria-label={t('compose.send')}>
          <Icon of={SendHorizontal} />
        </button>
      ) : (
        <MicButton jid={jid} />
      )}
    </form>
  );
}

/** Tells the contact that one types, at most once a pause, and that one stopped. */
function useTyping(parley: Parley, jid: string): (isTyping: boolean) => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const isTold = useRef(false);
  const tell = (isTyping: boolean) => {
    clearTimeout(timer.current);
    if (isTyping) timer.current = setTimeout(() => tell(false), typingMs);
    if (isTold.current === isTyping) return;
    isTold.current = isTyping;
    parley.setComposing(jid, isTyping ? 'typing' : null);
  };
  useEffect(() => () => tell(false), []);
  return tell;
}

/** The field is as high as its text; the style sheet limits it to five lines. */
function useAutoHeight(field: { current: HTMLTextAreaElement | null }, text: string, isRecording: boolean): void {
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [field, text, isRecording]);
}

/** With a keyboard one can write at once; on a phone the keyboard would cover half of what one came to read. */
function useFocus(field: { current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    if (hasFinePointer()) field.current?.focus({ preventScroll: true });
  }, [field]);
}
