import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef } from 'preact/hooks';
import type { Message, Thread } from '../../model';
import { follow, growDown, growUp, latestRange, type Range, rangeAround } from './range';

/** How close (CSS pixels) to an end of what is drawn more is added, and how close counts as "at the end". */
const growDistance = 900;
const endDistance = 40;
/** Where the "new messages" line stands when a thread opens: this far below the upper edge. */
const unreadOffset = 72;

export interface Timeline {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  readonly range: Range;
  readonly messages: readonly Message[];
  readonly isAtEnd: boolean;
  /** Messages that came while one was reading further up. */
  readonly missed: number;
  toLatest(): void;
}

interface State {
  messages: readonly Message[];
  range: Range;
  isAtEnd: boolean;
  seenId: string | undefined;
  isPlaced: boolean;
  height: number;
}

/**
 * Scrolling of a thread. At the end it stays at the end, whatever grows; elsewhere the message one looks at stays where it
 * is while older ones come in front. The platform's own anchoring is off: not every browser has it.
 */
export function useTimeline(thread: Thread): Timeline {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((count: number, _: null) => count + 1, 0);
  const state = useRef<State>({
    messages: [],
    range: { start: 0, end: 0 },
    isAtEnd: true,
    seenId: undefined,
    isPlaced: false,
    height: 0,
  }).current;

  takeMessages(state, thread);
  // Read before the document changes: what one looks at, and where it stands.
  const anchor = scroller.current && !state.isAtEnd ? anchorOf(scroller.current) : null;

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || state.messages.length === 0) return;
    if (!state.isPlaced) place(element, state);
    else if (state.isAtEnd) element.scrollTop = element.scrollHeight;
    else if (anchor) restore(element, anchor);
  });
  useScrolling(scroller, thread, state, redraw);
  useSizes(scroller, content, state);
  useReadMarks(thread, state);

  const toLatest = () => {
    state.range = latestRange(state.messages.length);
    state.isAtEnd = true;
    redraw(null);
    scroller.current?.focus({ preventScroll: true });
  };
  const missed = state.isAtEnd ? 0 : countMissed(state);
  return { scroller, content, range: state.range, messages: state.messages, isAtEnd: state.isAtEnd, missed, toLatest };
}

function takeMessages(state: State, thread: Thread): void {
  const messages = thread.messages.value;
  if (messages === state.messages) return;
  const before = state.messages;
  state.messages = messages;
  if (before.length === 0) {
    const unread = thread.firstUnread === null ? -1 : messages.findIndex(({ id }) => id === thread.firstUnread);
    state.range = rangeAround(messages.length, unread);
    return;
  }
  const last = messages.at(-1);
  // Whoever sends wants to see what was sent.
  if (last?.isOwn && last.id !== before.at(-1)?.id && last.at >= (before.at(-1)?.at ?? 0)) state.isAtEnd = true;
  const now = messages.map(({ id }) => id);
  const isOpen = state.range.end >= before.length;
  const wasAtTop = state.range.start === 0;
  state.range =
    state.isAtEnd && !isOpen
      ? latestRange(messages.length)
      : follow(
          state.range,
          before.map(({ id }) => id),
          now,
          state.isAtEnd,
        );
  // Drawn at once: at the upper end there is nothing to scroll by, and what one looks at would move.
  if (wasAtTop && !state.isAtEnd) state.range = growUp(state.range);
}

/** The first time: at the line above what is new, else at the end. */
function place(element: HTMLDivElement, state: State): void {
  state.isPlaced = true;
  state.height = element.clientHeight;
  element.scrollTop = element.scrollHeight;
  const line = element.querySelector<HTMLElement>('[data-unread]');
  if (line) {
    const top = line.getBoundingClientRect().top - element.getBoundingClientRect().top;
    if (top < unreadOffset) element.scrollTop += top - unreadOffset;
  }
  state.isAtEnd = isNearEnd(element);
}

function useScrolling(
  scroller: RefObject<HTMLDivElement | null>,
  thread: Thread,
  state: State,
  redraw: (_: null) => void,
): void {
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const scrolled = () => {
      if (!state.isPlaced) return;
      const wasAtEnd = state.isAtEnd;
      state.isAtEnd = isNearEnd(element) && state.range.end >= state.messages.length;
      const grown = grow(element, thread, state);
      if (state.isAtEnd) {
        state.seenId = newestId(state.messages);
        markRead(thread, state);
      }
      if (grown || wasAtEnd !== state.isAtEnd) redraw(null);
    };
    element.addEventListener('scroll', scrolled, { passive: true });
    // A short page of history does not fill the screen: fetch on without waiting for a scroll.
    scrolled();
    return () => element.removeEventListener('scroll', scrolled);
  }, [scroller, thread, state, redraw, state.isPlaced, thread.isLoading.value]);
}

/** Draws or fetches more where an end of what is drawn comes near. True when the range changed. */
function grow(element: HTMLDivElement, thread: Thread, state: State): boolean {
  const before = state.range;
  if (element.scrollTop < growDistance) {
    if (before.start > 0) state.range = growUp(before);
    else if (thread.hasOlder.peek() && !thread.isLoading.peek()) void thread.loadOlder().catch(() => {});
  } else if (fromEnd(element) < growDistance && before.end < state.messages.length) {
    state.range = growDown(before, state.messages.length);
  }
  return state.range !== before;
}

/** Keyboard, composer and fonts change heights: the lower edge of what one reads stays. */
function useSizes(
  scroller: RefObject<HTMLDivElement | null>,
  content: RefObject<HTMLDivElement | null>,
  state: State,
): void {
  useEffect(() => {
    const element = scroller.current;
    if (!element || !content.current) return;
    const observer = new ResizeObserver(() => {
      if (!state.isPlaced) return;
      if (state.isAtEnd) element.scrollTop = element.scrollHeight;
      else element.scrollTop += state.height - element.clientHeight;
      state.height = element.clientHeight;
    });
    observer.observe(element);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, [scroller, content, state]);
}

function useReadMarks(thread: Thread, state: State): void {
  const lastId = newestId(state.messages);
  useEffect(() => {
    if (!state.isAtEnd) return;
    state.seenId = lastId;
    markRead(thread, state);
  }, [thread, state, lastId]);
  useEffect(() => {
    const look = () => markRead(thread, state);
    addEventListener('focus', look);
    document.addEventListener('visibilitychange', look);
    return () => {
      removeEventListener('focus', look);
      document.removeEventListener('visibilitychange', look);
    };
  }, [thread, state]);
}

/** The newest of theirs: what is still to be sent stands below whatever comes. */
function newestId(messages: readonly Message[]): string | undefined {
  return (messages.findLast(({ isOwn }) => !isOwn) ?? messages.at(-1))?.id;
}

function markRead(thread: Thread, state: State): void {
  const isLooking = document.visibilityState === 'visible' && document.hasFocus();
  if (isLooking && state.isAtEnd && state.messages.length > 0) thread.markRead();
}

function countMissed(state: State): number {
  const seen = state.messages.findIndex(({ id }) => id === state.seenId);
  return seen < 0
    ? 0
    : state.messages.slice(seen + 1).filter(({ isOwn, content }) => !isOwn && content.kind !== 'note').length;
}

interface Anchor {
  readonly id: string;
  readonly top: number;
}

function anchorOf(element: HTMLDivElement): Anchor | null {
  const edge = element.getBoundingClientRect().top;
  for (const row of element.querySelectorAll<HTMLElement>('[data-id]')) {
    const box = row.getBoundingClientRect();
    if (box.bottom > edge && row.dataset.id !== undefined) return { id: row.dataset.id, top: box.top };
  }
  return null;
}

function restore(element: HTMLDivElement, anchor: Anchor): void {
  const row = element.querySelector<HTMLElement>(`[data-id="${CSS.escape(anchor.id)}"]`);
  if (!row) return;
  const moved = row.getBoundingClientRect().top - anchor.top;
  if (moved !== 0) element.scrollTop += moved;
}

function fromEnd(element: HTMLDivElement): number {
  return element.scrollHeight - element.scrollTop - element.clientHeight;
}

function isNearEnd(element: HTMLDivElement): boolean {
  return fromEnd(element) <= endDistance;
}
