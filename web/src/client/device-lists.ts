/** Whose devices there are: the lists of others kept fresh, our own device and its keys kept published. */
import type { DeviceListChange, OmemoDevice, OwnBundle } from '../e2ee';
import type { Clock } from './clock';
import type { ClientDb } from './db';
import { ClientError, StoppedError } from './errors';
import type { Link } from './link';
import { fetchBundle, fetchDeviceList, isSameBundle, publishBundle, publishDeviceList } from './pep';
import { report } from './report';

const FORMAT = 'legacy';

/** How long a list is believed when no event of its owner may reach us: only contacts whose presence we see send any. */
export const LIST_LIFE_MS = 15 * 60_000;

/** A machine that sleeps stops its timers: a day is cut into pieces so that keys are not much older than they may be. */
export const MAINTENANCE_MS = 6 * 3600_000;

/** When it is tried again to read and publish our own list. */
export const RETRY_MS = 60_000;

const REVOKED_KEY = 'revoked-omemo-devices';

export interface DeviceListsParts {
  readonly device: OmemoDevice;
  readonly link: Pick<Link, 'isOpen' | 'request'>;
  readonly clock: Clock;
  readonly db: Pick<ClientDb, 'getMeta' | 'putMeta'>;
  /** A list was taken over. Nobody is asked to wait for it but who asked for the list. */
  readonly onChange: (jid: string, change: DeviceListChange) => Promise<void>;
}

export class DeviceLists {
  /** When the list of somebody was read or announced in this session. */
  readonly #readAt = new Map<string, number>();
  #isRetired = false;
  #isStopped = false;
  /** What changes our own list is done one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #cancelMaintenance = () => {};
  #cancelRetry = () => {};

  constructor(private readonly parts: DeviceListsParts) {}

  /** A new session with the server: what is published there has to be ours, and lists may have changed. */
  async beginSession(): Promise<void> {
    const { device } = this.parts;
    this.#readAt.clear();
    this.#isRetired = false;
    this.#cancelRetry();
    this.#maintainLater();
    await device.maintain();
    try {
      await this.ensure(device.jid);
    } catch (error) {
      this.#ensureOwnLater();
      throw error;
    }
  }

  /** Ends the work on a clock. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelMaintenance();
    this.#cancelRetry();
  }

  /**
   * Makes sure that a list is known and not too old.
   *
   * @throws StanzaError when it cannot be had: then nothing is known about the person's devices.
   * @throws OfflineError
   */
  async ensure(jid: string): Promise<void> {
    const { device, link } = this.parts;
    if (this.#isFresh(jid)) {
      return;
    }
    if (jid === device.jid) {
      // Whoever waits for another who reads it need not read it again.
      await this.#exclusively(async () => {
        if (!this.#isFresh(jid)) {
          await this.#readOwn();
        }
      });
    } else {
      await this.#take(jid, await fetchDeviceList(link, jid));
    }
  }

  /** Somebody's list is known to be outdated: whoever needs it next has it read again. */
  forget(jid: string): void {
    this.#readAt.delete(jid);
  }

  #isFresh(jid: string): boolean {
    const readAt = this.#readAt.get(jid);
    return readAt !== undefined && this.parts.clock.now() - readAt < LIST_LIFE_MS;
  }

  /** Takes the list that an event announced. */
  async onEvent(jid: string, ids: readonly number[]): Promise<void> {
    const change = await this.#take(jid, ids);
    if (change.isOwnDeviceMissing && this.parts.link.isOpen && !this.#isRetired) {
      await this.#exclusively(() => publishDeviceList(this.parts.link, [...ids, this.parts.device.deviceId]));
    }
  }

  /**
   * Takes this device off the list, or all of the account: nobody shall write to them any more. A device that is still
   * there puts itself back.
   */
  retire(scope: 'this' | 'all'): Promise<void> {
    const { device, link } = this.parts;
    return this.#exclusively(async () => {
      const ids = await fetchDeviceList(link, device.jid);
      const kept = scope === 'all' ? [] : ids.filter((id) => id !== device.deviceId);
      if (kept.length < ids.length) {
        this.#isRetired = true;
        await publishDeviceList(link, kept);
      }
    });
  }

  /** Takes a device off our list that was signed out; if it cannot be done now, as soon as the list is read again. */
  async drop(deviceId: number): Promise<void> {
    await this.#exclusively(async () => {
      await this.parts.db.putMeta(REVOKED_KEY, [...(await this.#revoked()), deviceId]);
      try {
        await this.#readOwn();
      } catch (error) {
        if (!(error instanceof ClientError)) {
          throw error;
        }
        this.#readAt.delete(this.parts.device.jid);
      }
    });
  }

  /** Publishes the bundle again if it changed; at the latest with the next maintenance. */
  publishIfStale(): void {
    if (this.parts.link.isOpen) {
      this.#exclusively(() => this.#publishStale()).catch(() => undefined);
    }
  }

  async #take(jid: string, ids: readonly number[]): Promise<DeviceListChange> {
    const { device, clock, onChange } = this.parts;
    const change = await device.updateDeviceList(jid, ids, FORMAT);
    this.#readAt.set(jid, clock.now());
    await onChange(jid, change);
    return change;
  }

  async #readOwn(): Promise<void> {
    const { device, link, db } = this.parts;
    const published = await fetchDeviceList(link, device.jid);
    const revoked = await this.#revoked();
    const ids = published.filter((id) => id === device.deviceId || !revoked.includes(id));
    // The bundle first: nobody shall see the device before it can be written to.
    await this.#publishLost();
    if (!ids.includes(device.deviceId)) {
      await publishDeviceList(link, [...ids, device.deviceId]);
    } else if (ids.length < published.length) {
      await publishDeviceList(link, ids);
    }
    if (revoked.length > 0) {
      await db.putMeta(REVOKED_KEY, []);
    }
    await this.#take(device.jid, ids);
  }

  async #revoked(): Promise<readonly number[]> {
    return (await this.parts.db.getMeta<number[]>(REVOKED_KEY)) ?? [];
  }

  /** Publishes the bundle if the server has another one, or none: nobody could write to this device any more. */
  async #publishLost(): Promise<void> {
    const { device, link } = this.parts;
    const own = await device.bundle(FORMAT);
    const published = await fetchBundle(link, device.jid, device.deviceId);
    if (!published || !isSameBundle(published, own)) {
      await this.#publish(own);
    }
  }

  async #publishStale(): Promise<void> {
    if (await this.parts.device.isBundleStale(FORMAT)) {
      await this.#publish(await this.parts.device.bundle(FORMAT));
    }
  }

  async #publish(bundle: OwnBundle): Promise<void> {
    await publishBundle(this.parts.link, bundle);
    await this.parts.device.markPublished(FORMAT, bundle);
  }

  /** As long as our own device may be missing on the list, nobody can write to it. */
  #ensureOwnLater(): void {
    const { clock, link, device } = this.parts;
    this.#cancelRetry();
    if (this.#isStopped) {
      return;
    }
    this.#cancelRetry = clock.after(RETRY_MS, () => {
      if (link.isOpen) {
        this.ensure(device.jid).catch((error: unknown) => {
          if (error instanceof ClientError) {
            this.#ensureOwnLater();
          } else {
            report(error);
          }
        });
      } else {
        this.#ensureOwnLater();
      }
    });
  }

  #maintainLater(): void {
    this.#cancelMaintenance();
    if (this.#isStopped) {
      return;
    }
    this.#cancelMaintenance = this.parts.clock.after(MAINTENANCE_MS, () => {
      this.#maintainLater();
      this.parts.device
        .maintain()
        .then(() => this.publishIfStale())
        .catch((error: unknown) => {
          if (!(error instanceof StoppedError)) {
            report(error);
          }
        });
    });
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
