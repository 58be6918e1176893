import { type ReadonlySignal, signal } from '@preact/signals';
import type { FunctionComponent, VNode } from 'preact';
import { Component, h } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';

const queries = new Map<string, ReadonlySignal<boolean>>();

/** A media query as a signal, one per query for the life of the page. */
export function media(query: string): ReadonlySignal<boolean> {
  const known = queries.get(query);
  if (known) return known;
  const list = matchMedia(query);
  const matches = signal(list.matches);
  list.addEventListener('change', () => {
    matches.value = list.matches;
  });
  queries.set(query, matches);
  return matches;
}

/** The widths at which the layout changes (interface.md, Layout). */
export const hasTwoPanes = () => media('(min-width: 760px)').value;
export const hasSide = () => media('(min-width: 1200px)').value;
/** A mouse or a pen: the return key then sends. */
export const hasFinePointer = () => media('(hover: hover) and (pointer: fine)').value;

/** The result of something asynchronous, fetched again when `key` changes. */
export type Loaded<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'ready'; value: T };

/** Loads when `key` changes; `reload` loads again and keeps the old value meanwhile. */
export function useLoaded<T>(load: () => Promise<T>, key: string): { state: Loaded<T>; reload: () => void } {
  const loading: Loaded<T> = { kind: 'loading' };
  const state = useMemo(() => signal<Loaded<T>>(loading), [key]);
  const latest = useRef(load);
  latest.current = load;
  const reload = () => {
    latest.current().then(
      (value) => {
        state.value = { kind: 'ready', value };
      },
      () => {
        state.value = { kind: 'failed' };
      },
    );
  };
  useEffect(reload, [state]);
  return { state: state.value, reload };
}

/** A component that is drawn again only when one of its properties is another value. */
export function memo<P extends object>(inner: FunctionComponent<P>): (props: P) => VNode {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const names = Object.keys(next) as (keyof P)[];
      return names.some((name) => next[name] !== (this.props as P)[name]);
    }
    override render() {
      return h(inner as FunctionComponent<object>, this.props);
    }
  }
  return (props) => h(Memo as never, props as never);
}
