/** One signed-in account at work: puts the parts together and passes on what happens. */

import { computed, signal } from '@preact/signals';
import { TrustError } from '../e2ee';
import {
  type Availability,
  type ConnectionState,
  type Contact,
  type Conversation,
  type DeviceInfo,
  type NoteContent,
  type Parley,
  type Recording,
  RequestFailure,
  type SignInError,
  type Trust,
} from '../model';
import { Acquaintances } from './acquaintances';
import { Archive } from './archive';
import type { Credentials } from './auth';
import { Backoff } from './backoff';
import type { ClientDb } from './db';
import { omemoDeviceIdOf } from './devices';
import { OfflineError, StanzaError } from './errors';
import { Files, type FileTools } from './files';
import { History } from './history';
import { Inbox } from './inbox';
import { isTooLarge, TEXT_LIMIT_BYTES } from './limits';
import { Link, type LinkOptions } from './link';
import { heard } from './marks';
import { NS } from './ns';
import { Outbox } from './outbox';
import { uploadBlobId } from './outbox-entries';
import { buildPresence, Presences } from './presence';
import { answerQuestions } from './questions';
import type { MessageRecord, SessionRecord } from './records';
import { report } from './report';
import { Roster } from './roster';
import { type DeviceNames, Sealing } from './sealing';
import { buildDisplayed, buildHeard, parseMessage } from './stanzas';
import { type Planned, Store } from './store';
import { Sync } from './sync';
import { TaskGroup } from './tasks';
import { toldIn } from './told-in';
import { type Doing, Typing } from './typing';
import { encryptUpload, Slots, type Uploader } from './uploads';
import { type XmlNode, x } from './xml';

export interface EngineOptions extends LinkOptions {
  readonly db: ClientDb;
  readonly session: Pick<SessionRecord, 'jid' | 'resource' | 'deviceName'>;
  readonly upload: Uploader;
  readonly voice: FileTools;
  readonly onState: (state: ConnectionState) => void;
  /** The server ended the session for good. */
  readonly onRefused: (error: SignInError) => void;
}

/** What needs the encryption, which is opened after the rest. */
interface Parts {
  readonly sealing: Sealing;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly sync: Sync;
  readonly files: Files;
  readonly history: History;
}

export class Engine {
  readonly link: Link;
  readonly roster: Roster;
  readonly presences: Presences;
  readonly typing: Typing;
  readonly #archive: Archive;
  readonly #slots: Slots;
  readonly #acquaintances: Acquaintances;
  /** The line is lost: what was known of others is not known any more. */
  readonly #isLost = signal(false);
  /** Failed messages that are on their way into the outbox again. */
  readonly #retrying = new Set<string>();
  /** The last message that is being prepared, by conversation. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Everything this engine does. */
  readonly #tasks = new TaskGroup();
  #stopped: Promise<void> | null = null;
  /** Counts the lines: what was begun over another is over. */
  #line = 0;
  /** A session began, and the outbox does not know yet. */
  #isNew = false;
  /** Others in this session know that we are there. */
  #isAnnounced = false;
  readonly #beginning: Backoff;
  #cancelBegin = () => {};
  readonly #recovery: Backoff;
  #cancelRecovery = () => {};
  #parts: Parts | null = null;

  private constructor(
    private readonly options: EngineOptions,
    readonly store: Store,
    /** Every operation on the database. */
    private readonly storage: TaskGroup,
  ) {
    const { clock, db, session } = options;
    this.#beginning = new Backoff(options.random, 2_000);
    this.#recovery = new Backoff(options.random, 10_000, 600_000);
    this.link = new Link(options, {
      onState: (state) => this.#onState(state),
      onOpen: (isResumed) => this.#onOpen(isResumed),
      onStanza: (stanza) => this.#onStanza(stanza),
      onAcked: (ids) => void this.sync.enqueue(() => this.outbox.onAcked(ids)).catch(() => undefined),
      onCutOff: () => void this.sync.enqueue(() => this.outbox.onCutOff()).catch(() => undefined),
      onRefused: (error) => options.onRefused(error),
    });
    this.roster = new Roster(db, this.link, session.jid);
    this.presences = new Presences((jid) => this.#onLeft(jid));
    this.typing = new Typing(clock, (jid, stanza) => this.#sendIfThere(jid, stanza));
    this.#archive = new Archive(this.link, session.jid);
    this.#acquaintances = new Acquaintances({ own: session.jid, db, isSubscribed: (jid) => this.#isSeenBy(jid) });
    this.#slots = new Slots(this.link, () => clock.now());
    answerQuestions(this.link, session.jid);
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const { session, clock } = options;
    const storage = new TaskGroup();
    const db = options.db.during(storage);
    const store = await Store.load(db, clock);
    const engine = new Engine({ ...options, db }, store, storage);
    await engine.roster.load();
    const sealing = await Sealing.open({
      db,
      link: engine.link,
      clock,
      account: session,
      mayNotice: (jid) => engine.#acquaintances.has(jid),
      events: {
        onNote: (jid, note, deviceId) => engine.#onDeviceNote(jid, note, deviceId),
        planNotes: (jid, deviceIds, names) => engine.#planDeviceNotes(jid, deviceIds, names),
        onDevicesChanged: (jid) => engine.outbox.kick(jid === session.jid ? undefined : jid),
      },
    });
    engine.#assemble(sealing);
    await engine.outbox.load();
    return engine;
  }

  #assemble(sealing: Sealing): void {
    const { store, link } = this;
    const { clock, db, session, upload, voice } = this.options;
    const outbox = new Outbox({
      store,
      link,
      sealing,
      slots: this.#slots,
      upload,
      tasks: this.#tasks,
      now: () => clock.now(),
      random: this.options.random,
      retryAfter: (delayMs, task) => void clock.after(delayMs, task),
      report,
    });
    const files = new Files({ ...voice, store, tasks: this.#tasks });
    const inbox = new Inbox({
      own: session.jid,
      store,
      outbox,
      sealing,
      now: () => clock.now(),
      mayNotice: (jid) => this.#acquaintances.has(jid),
      onStored: (record) => this.#fetchLater(record),
    });
    const onGap = () => this.#recoverLater();
    const sync = new Sync({ db, store, archive: this.#archive, inbox, tasks: this.#tasks, onGap });
    const history = new History({ store, link, sync, onShown: (record) => this.#fetchLater(record) });
    this.#parts = { sealing, outbox, inbox, sync, files, history };
  }

  get outbox(): Outbox {
    return this.#assembled.outbox;
  }

  get sync(): Sync {
    return this.#assembled.sync;
  }

  get files(): Files {
    return this.#assembled.files;
  }

  get #assembled(): Parts {
    if (!this.#parts) {
      throw new Error('the engine is not open');
    }
    return this.#parts;
  }

  readonly contacts = computed<readonly Contact[]>(() =>
    [...this.roster.items.value.values()]
      .map(
        (item): Contact => ({
          jid: item.jid,
          name: this.roster.nameOf(item.jid),
          subscription: item.subscription,
          isRequested: item.isRequested,
          availability: this.#availabilityOf(item.jid),
          ...(item.lastSeen !== undefined && { lastSeen: item.lastSeen }),
        }),
      )
      .sort((a, b) => a.name.localeCompare(b.name)),
  );

  readonly conversations = computed<readonly Conversation[]>(() =>
    [...this.store.summaries.value.values()]
      .filter((summary) => summary.lastMessage || summary.draft)
      .map(
        (summary): Conversation => ({
          ...summary,
          name: this.roster.nameOf(summary.jid),
          isTyping: this.typing.doing.value.get(summary.jid) === 'typing',
          isRecording: this.typing.doing.value.get(summary.jid) === 'recording',
          availability: this.#availabilityOf(summary.jid),
        }),
      )
      .sort((a, b) => (b.lastMessage?.at ?? Infinity) - (a.lastMessage?.at ?? Infinity)),
  );

  /** Signs in for the first time; rejects with `SignInFailure`. */
  signIn(credentials: Credentials): Promise<void> {
    return this.link.open(credentials);
  }

  start(credentials: Credentials): void {
    this.link.start(credentials);
  }

  /**
   * Runs something that is asked of the engine.
   *
   * @throws StoppedError if it is stopped.
   */
  run<T>(task: () => Promise<T>): Promise<T> {
    return this.#tasks.run(task);
  }

  /** Ends the connection and everything under way. When it resolves, nothing here touches the database any more. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#cancelBegin();
    this.#cancelRecovery();
    this.link.stop();
    this.outbox.stop();
    this.#assembled.sealing.lists.stop();
    await this.#tasks.stop();
    await this.roster.settled();
    await this.store.flushDrafts().catch(report);
    await this.store.settled();
    await this.storage.stop();
  }

  /** @throws RequestFailure `too-large`: nothing was kept of it. */
  async sendText(jid: string, text: string): Promise<void> {
    if (isTooLarge(text, TEXT_LIMIT_BYTES)) {
      throw new RequestFailure('too-large');
    }
    const message = { ...this.#ownMessage(jid), content: { kind: 'text', text } } as const;
    this.typing.sent(jid);
    await this.#inTurn(jid, () => this.outbox.enqueueText(message, text));
  }

  sendVoice(jid: string, recording: Recording | Promise<Recording>): Promise<void> {
    const draft = this.#ownMessage(jid);
    this.typing.sent(jid);
    return this.#inTurn(jid, async () => {
      const { db } = this.store;
      const { blob, durationMs, waveform } = await recording;
      const message = {
        ...draft,
        content: {
          kind: 'voice',
          url: '',
          mediaType: blob.type || 'audio/ogg',
          sizeBytes: blob.size,
          durationMs,
          waveform,
          isHeard: false,
          positionMs: 0,
        },
      } as const;
      const { ciphertext, upload } = await encryptUpload(blob);
      await this.outbox.enqueueVoice(message, upload, [
        await db.sealBlob(message.id, new Uint8Array(await blob.arrayBuffer())),
        await db.sealBlob(uploadBlobId({ messageId: message.id }), ciphertext),
      ]);
    });
  }

  /** The outbox gets the messages of a conversation in the order of composing, however long each takes to prepare. */
  #inTurn(jid: string, enqueue: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(jid) ?? Promise.resolve()).then(async () => {
      await this.#assembled.inbox.introduce(jid);
      await enqueue();
    });
    this.#turns.set(
      jid,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async retry(messageId: string): Promise<void> {
    // Asked twice, it must not go out twice.
    if (this.#retrying.has(messageId)) {
      return;
    }
    this.#retrying.add(messageId);
    try {
      await this.#retry(messageId);
    } finally {
      this.#retrying.delete(messageId);
    }
  }

  async #retry(messageId: string): Promise<void> {
    const { db } = this.store;
    const message = await db.getMessage(messageId);
    if (!message?.isOwn || (message.state !== 'failed' && message.state !== 'waiting')) {
      return;
    }
    if (message.content.kind === 'text') {
      await this.outbox.retry(message, { body: message.content.text });
    } else if (message.content.kind === 'voice' && message.content.url) {
      await this.outbox.retry(message, { body: message.content.url });
    } else if (message.content.kind === 'voice') {
      const { ciphertext, upload } = await encryptUpload(await this.files.get(messageId));
      await db.write([await db.sealBlob(uploadBlobId({ messageId }), ciphertext)]);
      await this.outbox.retry(message, { upload });
    }
  }

  /** Everything up to the newest message is read: tells the sender, and our other devices. */
  async markRead(jid: string): Promise<void> {
    const newest = this.store.thread(jid).newest;
    const read = newest ? await this.store.markRead(jid, newest.order) : [];
    const marked = read.filter((record) => record.isMarkable && record.content.kind !== 'unreadable').at(-1);
    if (marked?.wireId !== undefined && (await this.#acquaintances.has(jid))) {
      const id = crypto.randomUUID();
      await this.outbox.enqueueControl(jid, id, buildDisplayed(jid, id, marked.wireId));
    }
  }

  async markHeard(messageId: string): Promise<void> {
    const played = await this.store.update(messageId, heard);
    const named = played?.originId ?? played?.wireId;
    if (played && !played.isOwn && named !== undefined && (await this.#acquaintances.has(played.conversation))) {
      const id = crypto.randomUUID();
      await this.outbox.enqueueControl(played.conversation, id, buildHeard(played.conversation, id, named));
    }
  }

  openThread(jid: string): Promise<void> {
    return this.#assembled.history.open(jid);
  }

  loadOlder(jid: string): Promise<void> {
    return this.#assembled.history.older(jid);
  }

  /** Takes this installation, or all, off the account's list of devices, as far as the connection allows. */
  async retire(scope: 'this' | 'all'): Promise<void> {
    await this.#assembled.sealing.lists.retire(scope);
  }

  /** Takes another installation, which was signed out, off the account's list of devices; as soon as it can be. */
  async dropDevice(resource: string): Promise<void> {
    await this.#assembled.sealing.lists.drop(await omemoDeviceIdOf(resource));
  }

  devices(jid: string): Promise<DeviceInfo[]> {
    return this.#assembled.sealing.devices(jid);
  }

  async setTrust({ jid, deviceId, fingerprint }: Parameters<Parley['setTrust']>[0], trust: Trust): Promise<void> {
    const { sealing, sync, inbox } = this.#assembled;
    await sealing.setTrust(jid, deviceId, fingerprint.join(''), trust).catch((error: unknown) => {
      throw error instanceof TrustError ? new RequestFailure('key-changed') : error;
    });
    // Failures are reported there; the decision stands.
    void sync.enqueue(() => inbox.reopen(jid)).catch(() => undefined);
  }

  tellDoing(jid: string, what: Doing | null): void {
    this.typing.tell(jid, what);
  }

  /** An own message with its place, composed now. */
  #ownMessage(jid: string): Omit<MessageRecord, 'content'> {
    const id = crypto.randomUUID();
    return {
      id,
      conversation: jid,
      order: this.store.waitingOrder(),
      wireId: id,
      originId: id,
      isOwn: true,
      sender: this.options.session.jid,
      at: this.options.clock.now(),
      confidentiality: 'sealed',
      ...(this.link.isOpen
        ? { state: 'sending' as const }
        : { state: 'waiting' as const, waitingFor: 'connection' as const }),
    };
  }

  #availabilityOf(jid: string): Availability {
    return this.#isLost.value ? 'offline' : this.presences.of(jid);
  }

  #onState(state: ConnectionState): void {
    if (state.kind === 'waiting' || state.kind === 'online') {
      this.#isLost.value = state.kind === 'waiting';
    }
    this.#line += 1;
    this.#cancelBegin();
    this.#cancelRecovery();
    if (state.kind !== 'online') {
      void this.sync.enqueue(() => this.outbox.onOffline()).catch(() => undefined);
    }
    this.options.onState(state);
  }

  #onOpen(isResumed: boolean): void {
    if (!isResumed) {
      this.sync.fallBehind();
      this.#isAnnounced = false;
      this.#isNew = true;
    }
    this.#beginning.reset();
    this.#begin();
  }

  /** Begins the session, or goes on with one that was cut while it began; until it works or the line is lost. */
  #begin(): void {
    this.#cancelBegin();
    const line = this.#line;
    void this.sync
      .enqueue(async () => {
        if (line === this.#line) {
          await this.#beginOrRetry();
        }
      })
      .catch(() => undefined);
  }

  async #beginOrRetry(): Promise<void> {
    const line = this.#line;
    try {
      if (this.sync.isBehind) {
        await this.#beginSession();
      }
    } catch (error) {
      if (line === this.#line && !this.#tasks.isStopped) {
        this.#cancelBegin = this.options.clock.after(this.#beginning.next(), () => this.#begin());
      }
      throw error;
    }
    this.outbox.onReady(!this.#isNew);
    this.#isNew = false;
  }

  async #beginSession(): Promise<void> {
    const { sealing } = this.#assembled;
    await Promise.all([this.#ignoring(this.roster.refresh()), this.#ignoring(this.#enableCarbons()), this.#announce()]);
    await this.#ignoring(sealing.beginSession());
    await this.#catchUp();
  }

  /** What could not be stored is fetched again, for as long as the line holds; a new one begins with that anyway. */
  #recoverLater(): void {
    this.#cancelRecovery();
    this.#cancelRecovery = this.options.clock.after(this.#recovery.next(), () => {
      const recovery = async () => (this.sync.isBehind && this.link.isOpen ? this.#catchUp() : undefined);
      void this.sync.enqueue(recovery).catch(() => undefined);
    });
  }

  async #catchUp(): Promise<void> {
    const { sealing, sync } = this.#assembled;
    sealing.beginCatchUp();
    try {
      await sync.catchUp();
      this.#recovery.reset();
    } catch (error) {
      if (error instanceof OfflineError) {
        throw error;
      }
      // What could not be fetched comes with the next session, what could not be stored sooner; writing must go on.
      report(error);
    } finally {
      await sealing.endCatchUp();
    }
  }

  /** Once in a session: from then on messages come. */
  async #announce(): Promise<void> {
    const presence = await buildPresence();
    if (!this.#isAnnounced) {
      this.presences.clear();
      this.link.send(presence);
      this.#isAnnounced = true;
    }
  }

  /** What one server does not offer must not keep the rest from working. */
  async #ignoring(task: Promise<unknown>): Promise<void> {
    try {
      await task;
    } catch (error) {
      if (!(error instanceof StanzaError)) {
        throw error;
      }
    }
  }

  async #enableCarbons(): Promise<void> {
    await this.link.request('set', x(NS.carbons, 'enable'));
  }

  #onStanza(stanza: XmlNode): void {
    if (stanza.name === 'presence') {
      this.#onPresence(stanza);
    } else if (!this.#archive.collect(stanza)) {
      const envelope = parseMessage(stanza, this.options.session.jid);
      if (envelope) {
        this.typing.take(envelope);
        this.sync.take(envelope);
      }
    }
  }

  #onPresence(stanza: XmlNode): void {
    const { type } = stanza.attrs;
    if (!this.roster.takePresence(stanza) && (type === undefined || type === 'unavailable')) {
      this.presences.take(stanza);
    }
  }

  #onLeft(jid: string): void {
    this.typing.forget(jid);
    this.roster.setLastSeen(jid, this.options.clock.now());
  }

  #onDeviceNote(jid: string, note: NoteContent['note'], deviceId: number): void {
    for (const conversation of this.#conversationsOf(jid)) {
      this.#tasks.spawn(() => this.#assembled.inbox.note(conversation, { note, deviceId, jid }));
    }
  }

  #planDeviceNotes(jid: string, deviceIds: readonly number[], names: DeviceNames): Promise<Planned[]> {
    const { inbox } = this.#assembled;
    return Promise.all(
      this.#conversationsOf(jid).flatMap((conversation) =>
        deviceIds.map((deviceId) => {
          const deviceName = names.get(deviceId);
          const note = { note: 'new-device', deviceId, jid, ...(deviceName && { deviceName }) } as const;
          return inbox.planNote(conversation, note);
        }),
      ),
    );
  }

  #conversationsOf(jid: string): string[] {
    return toldIn(jid, this.options.session.jid, this.store.summaries.value.values());
  }

  /** Whoever fetches a file shows its server an address: for strangers that takes the person's word. */
  #fetchLater(record: MessageRecord): void {
    this.#tasks.spawn(async () => {
      if (await this.#acquaintances.has(record.sender)) {
        this.files.fetchLater(record);
      }
    });
  }

  #sendIfThere(jid: string, stanza: XmlNode): void {
    if (this.presences.of(jid) !== 'offline') {
      this.link.sendIfOpen(stanza);
    }
  }

  #isSeenBy(jid: string): boolean {
    const subscription = this.roster.items.value.get(jid)?.subscription;
    return subscription === 'from' || subscription === 'both';
  }
}
