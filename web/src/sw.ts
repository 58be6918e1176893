/** Keeps the built files of one version, so that the app opens without a connection. */
export {};

/** Filled in by the build: every file of this version, with a hash for those whose name has none. */
declare const __PRECACHE__: readonly string[];
declare const __VERSION__: string;

const worker = globalThis as unknown as ServiceWorkerGlobalScope;
const prefix = 'parley-';
const cacheName = `${prefix}${__VERSION__}`;
const shell = '/index.html';

worker.addEventListener('install', (event) => {
  event.waitUntil(fill());
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(dropOthers().then(() => worker.clients.claim()));
});

worker.addEventListener('message', (event) => {
  if (event.data === 'activate') void worker.skipWaiting();
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
  if (request.mode === 'navigate') {
    // Only our own page: what the server answers elsewhere (documents, sign-in redirects) is not ours to replace.
    if (url.pathname === '/' || url.pathname === shell) event.respondWith(fromCache(shell, request));
  } else if (__PRECACHE__.includes(url.pathname)) {
    event.respondWith(fromCache(url.pathname, request));
  }
});

async function fill(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll(__PRECACHE__.map((path) => new Request(path, { cache: 'reload' })));
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(prefix) && name !== cacheName).map((name) => caches.delete(name)),
  );
}

async function fromCache(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  return (await cache.match(path)) ?? fetch(request);
}
