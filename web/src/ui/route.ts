import { type ReadonlySignal, signal } from '@preact/signals';

/** Where one is. The address bar's fragment says the same, so that back, reload and a shared device behave. */
export type Route =
  | { readonly name: 'chats' }
  | { readonly name: 'new' }
  | { readonly name: 'contacts' }
  | { readonly name: 'settings' }
  | { readonly name: 'thread'; readonly jid: string }
  | { readonly name: 'details'; readonly jid: string };

/** The route a fragment ("#/chat/mara%40hospital.example") stands for; anything unknown is the list. */
export function parseRoute(fragment: string): Route {
  const [section, address, rest] = fragment.replace(/^#?\/?/u, '').split('/');
  if (section === 'contacts' || section === 'settings' || section === 'new') return { name: section };
  const jid = section === 'chat' ? decode(address ?? '') : '';
  if (jid === '') return { name: 'chats' };
  return rest === 'details' ? { name: 'details', jid } : { name: 'thread', jid };
}

/** The fragment for a route. */
export function fragmentOf(route: Route): string {
  switch (route.name) {
    case 'chats':
      return '#/';
    case 'thread':
      return `#/chat/${encodeURIComponent(route.jid)}`;
    case 'details':
      return `#/chat/${encodeURIComponent(route.jid)}/details`;
    default:
      return `#/${route.name}`;
  }
}

/** Where "back" leads when there is nothing of ours to go back to. */
export function parentOf(route: Route): Route {
  return route.name === 'details' ? { name: 'thread', jid: route.jid } : { name: 'chats' };
}

function decode(address: string): string {
  try {
    return decodeURIComponent(address);
  } catch {
    return '';
  }
}

/** How many steps of ours lie below the current one in the history. */
function depth(): number {
  const state: unknown = history.state;
  return typeof state === 'object' && state !== null && 'depth' in state ? Number(state.depth) : 0;
}

const current = signal<Route>({ name: 'chats' });
export const route: ReadonlySignal<Route> = current;

/** Follows the browser's back and forward. */
export function startRouting(): void {
  const read = () => {
    current.value = parseRoute(location.hash);
  };
  addEventListener('popstate', read);
  addEventListener('hashchange', read);
  read();
}

/** Goes somewhere; `replace` leaves no step to come back to. */
export function go(to: Route, replace = false): void {
  const fragment = fragmentOf(to);
  if (fragment === fragmentOf(current.peek())) return;
  if (replace) history.replaceState({ depth: depth() }, '', fragment);
  else history.pushState({ depth: depth() + 1 }, '', fragment);
  current.value = to;
}

/** Goes back if the step before is ours, else up. */
export function goBack(): void {
  if (depth() > 0) history.back();
  else go(parentOf(current.peek()), true);
}
