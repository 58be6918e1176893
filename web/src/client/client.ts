/** The face to the screens: who is signed in, one engine at a time, and everything the screens may ask of it. */

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import {
  type ConnectionState,
  type Contact,
  type Conversation,
  type DeviceInfo,
  type Message,
  type Parley,
  type Recording,
  RequestFailure,
  type Session,
  type SignedInDevice,
  type SignInError,
  SignInFailure,
  type Thread,
  type Trust,
} from '../model';
import { type Credentials, deriveVerifier, deviceNameOf, newResource, newSecret } from './auth';
import type { Clock } from './clock';
import type { ClientDb } from './db';
import { listDevices, registerDevice, revokeAllDevices, revokeDevice, revokeOtherDevices } from './devices';
import type { Endpoint } from './discovery';
import type { Engine } from './engine';
import { OfflineError, StanzaError, StoppedError } from './errors';
import { asked, reportUnlessOver, stored } from './failures';
import type { FileTools } from './files';
import { domainOf, localOf, parseAddress } from './jid';
import { Leader } from './leader';
import { isTooLarge, TEXT_LIMIT_BYTES } from './limits';
import type { SessionRecord } from './records';
import { report } from './report';
import type { StreamFactory } from './stream';
import { TaskGroup } from './tasks';
import type { Typing } from './typing';
import type { Uploader } from './uploads';

/** See `session.ts`. */
export interface SessionParts {
  readonly Engine: Pick<typeof Engine, 'open'>;
  readonly openStream: StreamFactory;
  readonly uploadFile: Uploader;
}

/** What the client needs from the browser; tests give their own. */
export interface Environment {
  readonly clock: Clock;
  readonly random: () => number;
  readonly userAgent: string;
  readonly openDb: () => Promise<ClientDb>;
  /** Fetches the larger part of the client; asked for early, needed with a session. */
  readonly loadSession: () => Promise<SessionParts>;
  /** Never rejects; settles soon when the signal aborts. */
  readonly discover: (signal: AbortSignal) => Promise<Endpoint>;
  readonly voice: FileTools;
  readonly locks: LockManager | undefined;
  /** Asks the browser not to throw the data away. */
  readonly persist: () => Promise<unknown>;
  /** Calls back when the network or the person comes back, and when the page is about to go. */
  readonly watch: (onBack: () => void, onLeaving: () => void) => void;
}

const SESSION_KEY = 'session';
const RESOURCE_KEY = 'resource';
const POSITION_DELAY_MS = 1_000;
/** How long the server may take to say which addresses are its own. */
const DISCOVERY_MS = 8_000;
/** The server need not answer for the person to be signed out. */
const FAREWELL_MS = 3_000;

export class Client implements Parley {
  readonly #session = signal<Session | null | undefined>(undefined);
  readonly #connection = signal<ConnectionState>({ kind: 'signed-out' });
  readonly #lastSignOut = signal<SignInError | null>(null);
  readonly #engine = signal<Engine | null>(null);
  readonly #leader: Leader;
  readonly #positions = new Map<string, number>();
  /** What uses the database beside the engine: it is not closed before that is done. */
  readonly #tasks = new TaskGroup();
  #db: ClientDb | null = null;
  /** The engine that has the database, shown or still signing in. */
  #working: Engine | null = null;
  #isLeaving = false;
  /** Counts who had the floor: what began under another number is stale. */
  #floor = 0;
  /** The floor is being given up: nothing new begins before that is done. */
  #vacated: Promise<void> = Promise.resolve();

  readonly session: ReadonlySignal<Session | null | undefined> = this.#session;
  readonly connection: ReadonlySignal<ConnectionState> = this.#connection;
  readonly lastSignOut: ReadonlySignal<SignInError | null> = this.#lastSignOut;
  readonly contacts = computed<readonly Contact[]>(() => this.#engine.value?.contacts.value ?? []);
  readonly requests = computed(() => this.#engine.value?.roster.requests.value ?? []);
  readonly conversations = computed<readonly Conversation[]>(() => this.#engine.value?.conversations.value ?? []);
  readonly waitingCount = computed(() => this.#engine.value?.outbox.waitingCount.value ?? 0);

  constructor(private readonly environment: Environment) {
    this.#leader = new Leader(
      {
        onGained: () => this.#begin(),
        onAsked: () => this.#leave(),
        onStolen: () => void this.#leave(),
      },
      environment.clock,
      environment.locks,
    );
  }

  async start(): Promise<void> {
    this.environment.watch(
      () => this.#engine.value?.link.wake(),
      () => this.#flush(),
    );
    await this.#leader.take();
  }

  async takeOver(): Promise<void> {
    if (!this.#leader.isLeader) {
      await this.#leader.take();
    }
  }

  async signIn(address: string, password: string): Promise<void> {
    const floor = this.#floor;
    const { domain } = await this.#discover();
    const jid = parseAddress(address, domain);
    if (!jid || !password) {
      throw new SignInFailure(jid ? 'wrong-credentials' : 'bad-address');
    }
    try {
      await this.#signIn(jid, password, floor);
    } catch (error) {
      throw error instanceof StoppedError ? new SignInFailure('no-connection') : error;
    }
    void this.environment.persist();
  }

  async #discover(): Promise<Endpoint> {
    const { clock, discover } = this.environment;
    const deadline = new AbortController();
    const cancel = clock.after(DISCOVERY_MS, () => deadline.abort());
    try {
      return await discover(deadline.signal);
    } finally {
      cancel();
    }
  }

  async #signIn(jid: string, password: string, floor: number): Promise<void> {
    const { resource, isReturning } = await this.#tasks.run(() => this.#prepareDb(jid, floor));
    const deviceName = deviceNameOf(this.environment.userAgent);
    const engine = await this.#openEngine({ jid, resource, deviceName }, floor);
    try {
      await engine.signIn({ kind: 'password', jid, resource, secret: password });
      await this.#keepSignedIn(engine, { jid, resource, deviceName });
      this.#check(floor);
    } catch (error) {
      await engine.stop();
      this.#check(floor);
      if (!isReturning) {
        await this.#wipe(floor);
      }
      this.#connection.value = { kind: 'signed-out' };
      throw error;
    }
    this.#show(engine, { jid, deviceName });
  }

  async signOut(): Promise<void> {
    const engine = this.#require();
    const { resource } = await this.#record();
    // The server ends the stream when the credential is void: that is no surprise now.
    this.#isLeaving = true;
    await this.#farewell(async () => {
      await engine.retire('this');
      await revokeDevice(engine.link, resource);
    });
    await this.#end(null);
  }

  async signOutEverywhere(): Promise<void> {
    const engine = this.#require();
    const { resource } = await this.#record();
    await this.#farewell(async () => {
      // The others first: as long as they are signed in, they put themselves back on the list of devices.
      await revokeOtherDevices(engine.link, resource);
      await engine.retire('all');
    });
    // This has to succeed: a device that was lost must not stay signed in.
    this.#isLeaving = true;
    try {
      await asked(() => revokeAllDevices(engine.link));
    } catch (error) {
      this.#isLeaving = false;
      throw error;
    }
    await this.#end(null);
  }

  async signedInDevices(): Promise<readonly SignedInDevice[]> {
    const { resource } = await this.#record();
    return asked(() => listDevices(this.#require().link, resource));
  }

  revokeDevice(resource: string): Promise<void> {
    return asked(async () => {
      const engine = this.#require();
      await revokeDevice(engine.link, resource);
      await engine.run(() => engine.dropDevice(resource));
    });
  }

  addContact(address: string, name?: string): Promise<void> {
    const own = this.#session.value?.jid ?? '';
    const jid = parseAddress(address, domainOf(own));
    if (!jid || jid === own) {
      throw new RequestFailure('bad-address');
    }
    return asked(() => this.#require().roster.add(jid, name?.trim() || undefined));
  }

  renameContact(jid: string, name: string): Promise<void> {
    return asked(() => this.#require().roster.rename(jid, name.trim()));
  }

  removeContact(jid: string): Promise<void> {
    return asked(() => this.#require().roster.remove(jid));
  }

  acceptRequest(jid: string): Promise<void> {
    return asked(() => this.#require().roster.accept(jid));
  }

  declineRequest(jid: string): Promise<void> {
    return asked(async () => this.#require().roster.decline(jid));
  }

  openThread(jid: string): Thread {
    const engine = this.#require();
    const model = engine.store.thread(jid);
    engine.run(() => engine.openThread(jid)).catch(reportUnlessOver);
    return {
      jid,
      messages: model.messages,
      isLoading: model.isLoading,
      hasOlder: model.hasOlder,
      get firstUnread() {
        return model.firstUnread;
      },
      loadOlder: () => engine.run(() => engine.loadOlder(jid)).catch(reportUnlessOver),
      markRead: () => void engine.run(() => engine.markRead(jid)).catch(reportUnlessOver),
      close: () => engine.tellDoing(jid, null),
    };
  }

  sendText(jid: string, text: string): Promise<void> {
    return stored(() => this.#ask((engine) => engine.store.sending(jid, () => engine.sendText(jid, text))));
  }

  isTooLong(text: string): boolean {
    return isTooLarge(text, TEXT_LIMIT_BYTES);
  }

  sendVoice(jid: string, recording: Recording | Promise<Recording>): Promise<void> {
    return stored(() => this.#ask((engine) => engine.sendVoice(jid, recording)));
  }

  retry(messageId: string): Promise<void> {
    return stored(() => this.#ask((engine) => engine.retry(messageId)));
  }

  async discard(messageId: string): Promise<void> {
    await this.#ask((engine) => engine.outbox.discard(messageId));
  }

  setDraft(jid: string, text: string): void {
    this.#engine.value?.store.setDraft(jid, text).catch(report);
  }

  setComposing(jid: string, what: Parameters<Typing['tell']>[1]): void {
    this.#engine.value?.tellDoing(jid, what);
  }

  voiceFile(messageId: string): Promise<Blob> {
    return this.file(messageId);
  }

  file(messageId: string): Promise<Blob> {
    return this.#ask((engine) => engine.files.get(messageId));
  }

  setPosition(messageId: string, positionMs: number): void {
    const isScheduled = this.#positions.has(messageId);
    this.#positions.set(messageId, positionMs);
    if (!isScheduled) {
      this.environment.clock.after(POSITION_DELAY_MS, () => this.#writePosition(messageId));
    }
  }

  markHeard(messageId: string): void {
    this.#ask((engine) => engine.markHeard(messageId)).catch(reportUnlessOver);
  }

  nextUnheard(messageId: string): Message | null {
    return this.#engine.value?.store.nextUnheard(messageId) ?? null;
  }

  devices(jid: string): Promise<readonly DeviceInfo[]> {
    return this.#ask((engine) => engine.devices(jid));
  }

  setTrust(device: Parameters<Parley['setTrust']>[0], trust: Trust): Promise<void> {
    return this.#ask((engine) => engine.setTrust(device, trust));
  }

  /** This tab has the floor: take up the stored session, if there is one. */
  async #begin(): Promise<void> {
    this.#floor += 1;
    const floor = this.#floor;
    this.#session.value = undefined;
    this.#connection.value = { kind: 'signed-out' };
    await this.#vacated;
    try {
      const record = await this.#tasks.run(() => this.#storedSession(floor));
      if (record) {
        const engine = await this.#openEngine(record, floor);
        this.#show(engine, record);
        engine.start({ kind: 'device', ...record });
      } else {
        this.#session.value = null;
      }
    } catch (error) {
      // Otherwise another tab has the floor, and what was begun here is left to it.
      if (floor === this.#floor) {
        report(error);
        this.#lastSignOut.value = error instanceof SignInFailure ? error.code : 'storage-unavailable';
        this.#session.value = null;
      }
    }
  }

  async #storedSession(floor: number): Promise<SessionRecord | undefined> {
    this.#check(floor);
    this.#db ??= await this.environment.openDb();
    const record = await this.#db.getMeta<SessionRecord>(SESSION_KEY);
    this.#check(floor);
    return record;
  }

  /** Another tab takes over. Resolves when nothing here uses the database any more. */
  #leave(): Promise<void> {
    this.#floor += 1;
    this.#flush();
    // The screens go first: nothing shall be seen of the session being emptied.
    this.#connection.value = { kind: 'elsewhere' };
    this.#engine.value = null;
    this.#vacated = this.#vacated.then(() => this.#vacate()).catch(report);
    return this.#vacated;
  }

  async #vacate(): Promise<void> {
    await this.#working?.stop();
    this.#working = null;
    await this.#tasks.settled();
    this.#db?.close();
    this.#db = null;
  }

  /** @throws StoppedError if another tab has got the floor meanwhile. */
  #check(floor: number): void {
    if (floor !== this.#floor) {
      throw new StoppedError();
    }
  }

  async #openEngine(session: Pick<SessionRecord, 'jid' | 'resource' | 'deviceName'>, floor: number): Promise<Engine> {
    const parts = await this.environment.loadSession().catch((error: unknown) => {
      report(error);
      throw new SignInFailure('no-connection');
    });
    const engine = await this.#tasks.run(() => this.#assemble(parts, session, floor));
    this.#check(floor);
    return engine;
  }

  async #assemble(
    { Engine, openStream, uploadFile }: SessionParts,
    session: Pick<SessionRecord, 'jid' | 'resource' | 'deviceName'>,
    floor: number,
  ): Promise<Engine> {
    const { clock, random, voice, discover } = this.environment;
    this.#check(floor);
    if (!this.#db) {
      throw new SignInFailure('storage-unavailable');
    }
    const engine = await Engine.open({
      clock,
      random,
      openStream,
      upload: uploadFile,
      voice,
      db: this.#db,
      session,
      locate: async (signal) => (await discover(signal)).url,
      onState: (state) => {
        this.#connection.value = state;
      },
      onRefused: (error) => void this.#onRefused(error),
    });
    if (floor !== this.#floor) {
      await engine.stop();
      throw new StoppedError();
    }
    this.#working = engine;
    return engine;
  }

  #show(engine: Engine, { jid, deviceName }: { readonly jid: string; readonly deviceName: string }): void {
    this.#engine.value = engine;
    this.#lastSignOut.value = null;
    this.#session.value = { jid, name: localOf(jid), deviceName };
  }

  /** Gives the installation a secret of its own, so that the password is needed only once. */
  async #keepSignedIn(
    engine: Engine,
    session: { readonly jid: string; readonly resource: string; readonly deviceName: string },
  ): Promise<void> {
    const secret = newSecret();
    try {
      await registerDevice(engine.link, session.resource, session.deviceName, await deriveVerifier(secret));
    } catch (error) {
      // A server without credentials for installations: signed in as long as the page is open.
      if (error instanceof StanzaError) {
        return;
      }
      throw error instanceof OfflineError ? new SignInFailure('no-connection') : error;
    }
    await engine.run(() => engine.store.db.putMeta(SESSION_KEY, { ...session, secret } satisfies SessionRecord));
    engine.link.useCredentials({ kind: 'device', ...session, secret } satisfies Credentials);
  }

  async #onRefused(error: SignInError): Promise<void> {
    if (this.#isLeaving) {
      return;
    }
    if (error === 'suspended') {
      // The account comes back one day, and with it what is stored here.
      await this.#close();
      this.#session.value = null;
      this.#connection.value = { kind: 'signed-out' };
      this.#lastSignOut.value = error;
    } else {
      await this.#end(error);
    }
  }

  async #end(reason: SignInError | null): Promise<void> {
    const floor = this.#floor;
    await this.#close();
    this.#isLeaving = false;
    try {
      await this.#wipe(floor);
    } catch (error) {
      if (error instanceof StoppedError) {
        return; // The other tab, which has the floor now, learns the same and does it.
      }
      this.#connection.value = { kind: 'signed-out' };
      this.#lastSignOut.value = 'storage-unavailable';
      this.#session.value = null;
      throw error;
    }
    this.#connection.value = { kind: 'signed-out' };
    this.#lastSignOut.value = reason;
    this.#session.value = null;
  }

  async #close(): Promise<void> {
    const engine = this.#engine.value;
    // The screens go first: nothing shall be asked of the session being emptied.
    this.#session.value = undefined;
    this.#engine.value = null;
    await engine?.stop();
  }

  /** Deletes everything and begins with an empty database. */
  #wipe(floor: number): Promise<void> {
    return this.#tasks.run(async () => {
      this.#check(floor);
      await this.#db?.destroy();
      this.#db = await this.environment.openDb();
      this.#check(floor);
    });
  }

  /**
   * Makes sure that the database holds nothing of another account.
   *
   * `isReturning`: it holds this account's data, from a session that was interrupted.
   */
  async #prepareDb(jid: string, floor: number): Promise<{ resource: string; isReturning: boolean }> {
    try {
      const isReturning = (await this.#storedSession(floor))?.jid === jid;
      if (!isReturning) {
        await this.#wipe(floor);
      }
      return { resource: this.#db ? await obtainResource(this.#db) : '', isReturning };
    } catch (error) {
      if (error instanceof StoppedError) {
        throw error;
      }
      report(error);
      throw new SignInFailure('storage-unavailable');
    }
  }

  async #farewell(task: () => Promise<void>): Promise<void> {
    const patience = new Promise<void>((resolve) => {
      this.environment.clock.after(FAREWELL_MS, resolve);
    });
    await Promise.race([task().catch(() => undefined), patience]);
  }

  #record(): Promise<{ readonly resource: string }> {
    return this.#ask(async (engine) => ({ resource: await obtainResource(engine.store.db) }));
  }

  /** The page may be about to go: writes what is written at leisure otherwise. */
  #flush(): void {
    this.#engine.value?.store.writeDraftsNow();
    this.#ask(({ store }) => store.flushDrafts()).catch(reportUnlessOver);
    for (const messageId of [...this.#positions.keys()]) {
      this.#writePosition(messageId);
    }
  }

  #writePosition(messageId: string): void {
    const positionMs = this.#positions.get(messageId);
    this.#positions.delete(messageId);
    if (positionMs !== undefined) {
      this.#ask(({ store }) =>
        store.update(messageId, (record) =>
          record.content.kind === 'voice' ? { ...record, content: { ...record.content, positionMs } } : null,
        ),
      ).catch(reportUnlessOver);
    }
  }

  /** Has the engine do something. */
  async #ask<T>(task: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = this.#require();
    try {
      return await engine.run(() => task(engine));
    } catch (error) {
      throw error instanceof StoppedError ? new RequestFailure('no-connection') : error;
    }
  }

  #require(): Engine {
    if (!this.#engine.value) {
      throw new RequestFailure('no-connection');
    }
    return this.#engine.value;
  }
}

async function obtainResource(db: ClientDb): Promise<string> {
  const existing = await db.getMeta<string>(RESOURCE_KEY);
  const resource = existing ?? newResource();
  if (existing === undefined) {
    await db.putMeta(RESOURCE_KEY, resource);
  }
  return resource;
}
