import { ArrowDown } from 'lucide';
import { useMemo } from 'preact/hooks';
import { t } from '../../i18n';
import { dayOf, today } from '../../i18n/format';
import type { Message, Thread } from '../../model';
import { conversationOf, nameOf, useApp } from '../app-context';
import { memo } from '../hooks';
import { Icon } from '../icon';
import { shortNameOf } from '../identity';
import { Bubble, Note } from './bubble';
import { type Row, rowsOf } from './rows';
import { useTimeline } from './use-timeline';

/** The messages of a thread. Draws a part of long ones; see use-timeline for how it scrolls. */
export function Timeline({ thread, name }: { readonly thread: Thread; readonly name: string }) {
  const { scroller, content, range, messages, isAtEnd, missed, toLatest } = useTimeline(thread);
  const rows = useMemo(
    () => rowsOf(messages, range.start, range.end, thread.firstUnread),
    [messages, range.start, range.end, thread],
  );
  const isLoading = thread.isLoading.value;
  return (
    <div class="timeline">
      <div
        ref={scroller}
        id="messages"
        class="timeline-scroll"
        role="log"
        aria-live="off"
        aria-busy={isLoading}
        aria-label={t('thread.messages', { name })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to be reachable by keyboard
        tabIndex={0}
      >
        <div ref={content} class="timeline-rows">
          {/* Its place is kept while nothing loads, so that loading moves nothing. */}
          <p class="timeline-loading" hidden={!thread.hasOlder.value}>
            {isLoading ? t('thread.loading') : ''}
          </p>
          {messages.length === 0 && !isLoading ? <NoMessages name={name} /> : null}
          {rows.map((row) => (
            <TimelineRow key={row.key} row={row} name={name} />
          ))}
        </div>
      </div>
      {isAtEnd ? null : <Latest missed={missed} onClick={toLatest} />}
    </div>
  );
}

function TimelineRow({ row, name }: { readonly row: Row; readonly name: string }) {
  const { parley } = useApp();
  switch (row.kind) {
    case 'day':
      return <Day at={row.at} today={today.value} />;
    case 'unread':
      return (
        <p class="unread-line" data-unread="">
          <span>{t('thread.new')}</span>
        </p>
      );
    case 'note': {
      const note = row.message.content;
      if (note.kind !== 'note') return null;
      const about = note.jid === parley.session.value?.jid ? '' : nameOf(parley, note.jid);
      return <Note message={row.message} note={note} name={about} />;
    }
    case 'bubble':
      return <Bubble message={row.message} place={row.place} name={name} isPlain={isPlain(row.message)} />;
  }
  /** In a managed conversation nothing is sealed, and nobody expects it. */
  function isPlain(message: Message): boolean {
    return (
      message.confidentiality === 'managed' &&
      conversationOf(parley, message.conversation).confidentiality !== 'managed'
    );
  }
}

/** `today` is only a reason to draw again at midnight. */
const Day = memo(({ at }: { readonly at: number; readonly today: number }) => (
  <h2 class="day">
    <time dateTime={new Date(at).toISOString().slice(0, 10)}>{dayOf(at)}</time>
  </h2>
));

function NoMessages({ name }: { readonly name: string }) {
  return (
    <div class="empty">
      <h2>{t('thread.empty', { name: shortNameOf(name) })}</h2>
      <p>{t('thread.emptyHint')}</p>
    </div>
  );
}

function Latest({ missed, onClick }: { readonly missed: number; onClick(): void }) {
  const label = missed === 0 ? t('thread.latest') : t('thread.latestUnread', { count: missed });
  return (
    <button type="button" class="latest" aria-label={label} onClick={onClick}>
      <Icon of={ArrowDown} />
      {missed > 0 ? (
        <span class="badge" aria-hidden="true">
          {missed > 99 ? '99+' : missed}
        </span>
      ) : null}
    </button>
  );
}
