import { SendHorizontal } from 'lucide';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { Parley } from '../../model';
import type { Phase } from '../../voice/gesture';
import { useApp } from '../app-context';
import { hasFinePointer } from '../hooks';
import { Icon } from '../icon';
import { MicButton } from '../voice/mic-button';
import { RecordBar } from '../voice/record-bar';
import { VoiceHint } from '../voice/voice-hint';
import { TypingTeller, withUnsent } from './composing';

/** Phases of a recording in which there is none to show; in the last, nobody waits for the microphone any more. */
const restful: ReadonlySet<Phase> = new Set(['idle', 'binned', 'opening-abandoned']);

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
  const latest = useRef(draft);
  const isTooLong = parley.isTooLong(text.trim());
  const isRecording = voice.jid.value === jid && !restful.has(voice.phase.value);
  useAutoHeight(field, text, isRecording);
  useFocus(field);

  const write = (value: string) => {
    latest.current = value;
    setText(value);
    parley.setDraft(jid, value);
  };
  const change = (value: string) => {
    write(value);
    if (value.trim() === '') typing.stopped();
    else typing.typed();
  };
  const send = async () => {
    const said = text.trim();
    if (said === '' || isTooLong) return;
    change('');
    field.current?.focus();
    // What could not even be put into the outbox comes back.
    if (!(await attempt(parley.sendText(jid, said)))) write(withUnsent(said, latest.current));
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
      {isTooLong ? <TooLong /> : <VoiceHint />}
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
        <button type="submit" class="round-button" aria-label={t('compose.send')} disabled={isTooLong}>
          <Icon of={SendHorizontal} />
        </button>
      ) : (
        <MicButton jid={jid} />
      )}
    </form>
  );
}

/** Said while there is time to divide it: later it would come back. */
function TooLong() {
  return (
    <div class="voice-hint voice-hint-plain" role="status">
      <span>{t('compose.tooLong')}</span>
    </div>
  );
}

/** What the contact is told of the typing in this field. */
function useTyping(parley: Parley, jid: string): TypingTeller {
  const [typing] = useState(
    () =>
      new TypingTeller(
        (isTyping) => parley.setComposing(jid, isTyping ? 'typing' : null),
        (ms, act) => {
          const timer = setTimeout(act, ms);
          return () => clearTimeout(timer);
        },
      ),
  );
  useEffect(() => () => typing.stopped(), [typing]);
  return typing;
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
