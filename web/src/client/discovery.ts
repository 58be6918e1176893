import { parseAddress } from './jid';

/** Where to connect, and which domain a bare name belongs to. */
export interface Endpoint {
  readonly url: string;
  readonly domain: string;
}

const WEBSOCKET_REL = 'urn:xmpp:alt-connections:websocket';
const DOMAIN_PROPERTY = 'urn:parley:domain';

/**
 * Finds the WebSocket address of the server that this page came from (XEP-0156, JSON form).
 *
 * When the document is missing or useless, the well-known path `/xmpp` of the same origin is taken.
 *
 * @param origin For example `https://talk.example.org`.
 * @param signal Ends the wait for the document.
 */
export async function discover(origin: string, signal: AbortSignal, fetcher: typeof fetch = fetch): Promise<Endpoint> {
  const fallback = fallbackEndpoint(origin);
  try {
    const response = await fetcher(`${origin}/.well-known/host-meta.json`, { cache: 'no-cache', signal });
    return response.ok ? readHostMeta(await response.json(), fallback) : fallback;
  } catch {
    return fallback;
  }
}

/** Reads a host-meta document; what it lacks, or has in a form that cannot be used, is taken from `fallback`. */
export function readHostMeta(document: unknown, fallback: Endpoint): Endpoint {
  const { links, properties } = (document ?? {}) as { links?: unknown; properties?: unknown };
  const isSecure = fallback.url.startsWith('wss:');
  const link = (Array.isArray(links) ? links : []).find(
    (candidate) => candidate?.rel === WEBSOCKET_REL && isUsable(candidate.href, isSecure),
  );
  const domain = (properties as Record<string, unknown> | undefined)?.[DOMAIN_PROPERTY];
  return {
    url: link ? link.href : fallback.url,
    domain: typeof domain === 'string' && parseAddress('a', domain) ? domain : fallback.domain,
  };
}

// A page from https must never be led to an unencrypted connection.
function isUsable(href: unknown, isSecure: boolean): boolean {
  return typeof href === 'string' && (isSecure ? /^wss:\/\// : /^wss?:\/\//).test(href);
}

function fallbackEndpoint(origin: string): Endpoint {
  const url = new URL('/xmpp', origin);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return { url: url.href, domain: url.hostname };
}
