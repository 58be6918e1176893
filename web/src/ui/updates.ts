import { t } from '../i18n';
import type { App } from './app-context';

/**
 * Installs the service worker. A new version waits until the person agrees or all windows are closed: the page never
 * reloads by surprise, least of all while something is recorded.
 */
export function registerServiceWorker(app: App): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  addEventListener('load', () => void register(app).catch(() => {}), { once: true });
  if (document.readyState === 'complete') void register(app).catch(() => {});
}

let isRegistered = false;
let isUpdating = false;
let isOutdated = false;

/** Another tab went on to a new version: what this page has not fetched yet is no longer there. */
export function isPageOutdated(): boolean {
  return isOutdated;
}

async function register(app: App): Promise<void> {
  if (isRegistered) return;
  isRegistered = true;
  watchController();
  const registration = await navigator.serviceWorker.register('/sw.js');
  const offer = () => {
    if (registration.waiting && navigator.serviceWorker.controller) offerUpdate(app, registration.waiting);
  };
  offer();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void registration.update().catch(() => {});
  });
}

/** Files of two versions never mix: the tab that asked for the new one begins anew, others do when they are used. */
function watchController(): void {
  let hadController = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (isUpdating) location.reload();
    else isOutdated = hadController;
    hadController = true;
  });
}

function offerUpdate(app: App, waiting: ServiceWorker): void {
  const run = () => {
    isUpdating = true;
    waiting.postMessage('activate');
  };
  app.show(t('app.update'), { label: t('app.updateNow'), run }, null);
}
