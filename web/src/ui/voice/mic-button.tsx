import { ChevronUp, Lock, Mic, SendHorizontal } from 'lucide';
import { useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { clockOf } from '../../i18n/format';
import { cancelDistance, slideOf } from '../../voice/gesture';
import { nameOf, useApp } from '../app-context';
import { Icon } from '../icon';
import { go } from '../route';

/**
 * Hold to talk, tap to record hands-free; while a recording is locked, the button that sends it. It stays the same element
 * throughout, because the finger that went down on it has to come up on it.
 */
export function MicButton({ jid }: { readonly jid: string }) {
  const { parley, voice, show } = useApp();
  const origin = useRef<{ x: number; y: number } | null>(null);
  /** The press that is down began a recording: the click it ends with means nothing more. */
  const isOurs = useRef(false);
  const [slide, setSlide] = useState({ x: 0, y: 0 });
  const phase = voice.jid.value === jid ? voice.phase.value : 'idle';
  const isSending = phase === 'locked' || phase === 'paused';
  const isHeld = phase === 'opening' || phase === 'holding';

  /** Another conversation's recording has to be sent or deleted first: says so, and leads there. */
  const isBusy = (): boolean => {
    const other = voice.jid.peek();
    const isOver = voice.phase.peek() === 'binned' || voice.phase.peek() === 'opening-abandoned';
    if (other === null || other === jid || isOver) return false;
    const time = clockOf(voice.recordedMs.peek());
    const run = () => go({ name: 'thread', jid: other });
    show(t('record.elsewhere', { name: nameOf(parley, other), time }), { label: t('record.continue'), run });
    return true;
  };
  const down = (event: PointerEvent) => {
    isOurs.current = event.button === 0 && !isSending;
    if (!isOurs.current || isBusy()) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    origin.current = { x: event.clientX, y: event.clientY };
    setSlide({ x: 0, y: 0 });
    voice.press(jid, event.timeStamp);
  };
  const move = (event: PointerEvent) => {
    const from = origin.current;
    if (!from || !isHeld) return;
    const x = Math.min(0, event.clientX - from.x);
    const y = Math.min(0, event.clientY - from.y);
    const reached = slideOf(x, y);
    if (reached) {
      origin.current = null;
      voice.apply(reached);
    }
    setSlide(reached ? { x: 0, y: 0 } : { x, y });
  };
  const up = (event: PointerEvent) => {
    if (!origin.current) return;
    origin.current = null;
    voice.release(event.timeStamp);
  };
  const cancel = () => {
    if (!origin.current) return;
    origin.current = null;
    voice.apply('leave');
  };
  const click = (event: MouseEvent) => {
    const isEnd = isOurs.current;
    isOurs.current = false;
    if (isEnd) return;
    if (isSending) voice.send();
    else if (!isBusy()) {
      // Keyboard and screen reader click without pointer events before: a tap.
      voice.press(jid, event.timeStamp);
      voice.release(event.timeStamp);
    }
  };
  return (
    <>
      {isHeld ? <LockHint /> : null}
      <button
        type="button"
        class={isHeld ? 'round-button mic mic-held' : 'round-button mic'}
        style={isHeld ? { '--slide': `${Math.max(slide.x, -cancelDistance)}px` } : undefined}
        aria-label={t(isSending ? 'record.send' : 'compose.record')}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={cancel}
        onClick={click}
        onContextMenu={(event) => event.preventDefault()}
      >
        <Icon of={isSending ? SendHorizontal : Mic} />
      </button>
    </>
  );
}

function LockHint() {
  return (
    <div class="lock-hint" title={t('record.slideLock')} aria-hidden="true">
      <Icon of={Lock} size={20} />
      <Icon of={ChevronUp} size={18} />
    </div>
  );
}
