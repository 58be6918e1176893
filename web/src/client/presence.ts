/** Who is there: presence by resource (RFC 6121 section 4), and our own with what this app can do (XEP-0115). */
import { signal } from '@preact/signals';
import type { Availability } from '../model';
import { bareOf, resourceOf } from './jid';
import { NS } from './ns';
import { find, textOf, type XmlNode, x } from './xml';

const NODE = 'urn:parley:web';
const IDENTITY = { category: 'client', type: 'web', name: 'Parley' } as const;

/** What the app understands; `+notify` asks for the device lists of contacts (XEP-0163 section 5). */
export const FEATURES: readonly string[] = [
  NS.caps,
  NS.chatStates,
  NS.discoInfo,
  NS.axolotl,
  `${NS.deviceList}+notify`,
  NS.version,
  NS.markers,
  NS.voice,
  NS.ping,
  NS.receipts,
].sort();

export class Presences {
  /** Best availability of each person who is there. */
  readonly availability = signal<ReadonlyMap<string, Availability>>(new Map());
  readonly #resources = new Map<string, Map<string, { show: Availability; priority: number }>>();

  /** @param onLeft Somebody's last device is gone. */
  constructor(private readonly onLeft: (jid: string) => void) {}

  /** Takes `<presence/>` of type unavailable or none. */
  take(stanza: XmlNode): void {
    const from = stanza.attrs.from ?? '';
    const jid = bareOf(from);
    const resources = this.#resources.get(jid) ?? new Map();
    if (stanza.attrs.type === undefined) {
      resources.set(resourceOf(from), { show: showOf(stanza), priority: priorityOf(stanza) });
      this.#resources.set(jid, resources);
    } else if (resources.delete(resourceOf(from)) && resources.size === 0) {
      this.#resources.delete(jid);
      this.onLeft(jid);
    }
    this.#publish(jid);
  }

  /** Nobody is known to be there any more: the session is over. */
  clear(): void {
    this.#resources.clear();
    this.availability.value = new Map();
  }

  of(jid: string): Availability {
    return this.availability.value.get(jid) ?? 'offline';
  }

  #publish(jid: string): void {
    const resources = [...(this.#resources.get(jid)?.values() ?? [])];
    const best = resources.sort((a, b) => RANK[b.show] - RANK[a.show] || b.priority - a.priority)[0];
    if (best?.show !== this.availability.value.get(jid)) {
      const next = new Map(this.availability.value);
      if (best) {
        next.set(jid, best.show);
      } else {
        next.delete(jid);
      }
      this.availability.value = next;
    }
  }
}

const RANK: Readonly<Record<Availability, number>> = { online: 3, busy: 2, away: 1, offline: 0 };

function showOf(stanza: XmlNode): Availability {
  const show = textOf(find(stanza, NS.client, 'show'));
  if (show === 'dnd') {
    return 'busy';
  }
  return show === 'away' || show === 'xa' ? 'away' : 'online';
}

function priorityOf(stanza: XmlNode): number {
  return Number.parseInt(textOf(find(stanza, NS.client, 'priority')), 10) || 0;
}

/** Our own presence. */
export async function buildPresence(): Promise<XmlNode> {
  const caps = { hash: 'sha-1', node: NODE, ver: await capsVersion() };
  return x(NS.client, 'presence', {}, x(NS.caps, 'c', caps));
}

/** Answers a question about what the app is and can do. */
export function discoInfo(iq: XmlNode): XmlNode {
  const node = find(iq, NS.discoInfo, 'query')?.attrs.node;
  return x(
    NS.discoInfo,
    'query',
    { node },
    x(NS.discoInfo, 'identity', IDENTITY),
    ...FEATURES.map((feature) => x(NS.discoInfo, 'feature', { var: feature })),
  );
}

/** Verification string of XEP-0115 section 5.1. */
export async function capsVersion(): Promise<string> {
  const identity = `${IDENTITY.category}/${IDENTITY.type}//${IDENTITY.name}<`;
  const text = identity + FEATURES.map((feature) => `${feature}<`).join('');
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
