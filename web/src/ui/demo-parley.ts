/**
 * A Parley without a server: the same object the client makes, filled with made-up data. Query parameters of the page:
 * `signed-out`, `empty`, `offline`, `elsewhere`, `error=CODE` (what signing in answers), `many=COUNT` (a long
 * thread with Elif).
 */
import { type Signal, signal } from '@preact/signals';
import type {
  Confidentiality,
  ConnectionState,
  Contact,
  Conversation,
  DeviceInfo,
  Message,
  Parley,
  Recording,
  Session,
  SignInError,
  Thread,
  Trust,
} from '../model';
import { SignInFailure } from '../model';
import * as data from './demo-data';

const session: Session = { jid: data.self, name: 'Alice Lindgren', deviceName: 'Chromium · Linux' };
const pageSize = 50;

export function createParley(): Parley {
  const query = new URLSearchParams(location.search);
  return new DemoParley(query);
}

class DemoParley implements Parley {
  readonly session: Signal<Session | null | undefined> = signal(undefined);
  readonly connection: Signal<ConnectionState> = signal({ kind: 'online' });
  readonly contacts: Signal<readonly Contact[]> = signal([]);
  readonly requests = signal([{ jid: 'lea@clinic.example', name: 'Lea Fontaine' }]);
  readonly conversations: Signal<readonly Conversation[]> = signal([]);
  readonly waitingCount = signal(0);
  readonly lastSignOut: Signal<SignInError | null> = signal(null);

  private readonly threads = new Map<string, Signal<readonly Message[]>>();
  private readonly trust = new Map<string, Trust>();
  private readonly recorded = new Map<string, Blob>();
  private devicesSignedIn = [
    { resource: 'a', name: session.deviceName, lastSeen: Date.now(), isOnline: true, isThisDevice: true },
    { resource: 'b', name: 'Phone', lastSeen: Date.now(), isOnline: true, isThisDevice: false },
    { resource: 'c', name: 'Firefox on Windows', lastSeen: data.at('14:05', 6), isOnline: false, isThisDevice: false },
  ];

  constructor(private readonly query: URLSearchParams) {
    if (query.has('empty')) this.requests.value = [];
    else this.fill(Number(query.get('many') ?? '300'));
    if (query.has('elsewhere')) this.connection.value = { kind: 'elsewhere' };
    if (query.has('offline')) {
      this.connection.value = { kind: 'waiting', retryAt: Date.now() + 9000, reason: 'network' };
      this.waitingCount.value = 2;
    }
  }

  async takeOver(): Promise<void> {
    this.connection.value = { kind: 'online' };
  }

  async start(): Promise<void> {
    this.session.value = this.query.has('signed-out') ? null : session;
  }

  async signIn(): Promise<void> {
    await pause(300);
    const code = this.query.get('error') as SignInError | null;
    if (code) throw new SignInFailure(code);
    this.session.value = session;
  }

  async signOut(): Promise<void> {
    this.session.value = null;
  }

  async signOutEverywhere(): Promise<void> {
    this.session.value = null;
  }

  async signedInDevices() {
    return this.devicesSignedIn;
  }

  async revokeDevice(resource: string): Promise<void> {
    this.devicesSignedIn = this.devicesSignedIn.filter((device) => device.resource !== resource);
  }

  async addContact(jid: string, name = jid): Promise<void> {
    const added: Contact = { jid, name, subscription: 'none', isRequested: true, availability: 'offline' };
    this.contacts.value = [...this.contacts.value, added];
  }

  async renameContact(jid: string, name: string): Promise<void> {
    this.contacts.value = this.contacts.value.map((one) => (one.jid === jid ? { ...one, name } : one));
    this.change(jid, { name });
  }

  async removeContact(jid: string): Promise<void> {
    this.contacts.value = this.contacts.value.filter((one) => one.jid !== jid);
  }

  async acceptRequest(jid: string): Promise<void> {
    const request = this.requests.value.find((one) => one.jid === jid);
    await this.declineRequest(jid);
    await this.addContact(jid, request?.name);
  }

  async declineRequest(jid: string): Promise<void> {
    this.requests.value = this.requests.value.filter((one) => one.jid !== jid);
  }

  openThread(jid: string): Thread {
    const all = this.messagesOf(jid);
    const unread = this.conversations.peek().find((one) => one.jid === jid)?.unread ?? 0;
    const theirs = all.peek().filter(({ isOwn }) => !isOwn);
    return new DemoThread(jid, all, unread > 0 ? (theirs.at(-unread)?.id ?? null) : null, () =>
      this.change(jid, { unread: 0 }),
    );
  }

  async sendText(jid: string, text: string): Promise<void> {
    this.append(data.message(jid, true, Date.now(), data.text(text), { state: 'waiting' }));
    if (!this.query.has('offline')) void this.progress(jid);
  }

  isTooLong(): boolean {
    return false;
  }

  async sendVoice(jid: string, recording: Recording | Promise<Recording>): Promise<void> {
    const { blob, durationMs, waveform } = await recording;
    const content = {
      kind: 'voice',
      durationMs,
      waveform,
      sizeBytes: blob.size,
      isHeard: false,
      positionMs: 0,
    } as const;
    const sent = data.message(jid, true, Date.now(), content, { state: 'sending' });
    this.recorded.set(sent.id, blob);
    this.append(sent);
    void this.progress(jid);
  }

  async retry(id: string): Promise<void> {
    this.changeMessage(id, (message) => ({ ...message, state: 'sent' }));
  }

  async discard(id: string): Promise<void> {
    for (const thread of this.threads.values()) thread.value = thread.value.filter((message) => message.id !== id);
  }

  setDraft(jid: string, draft: string): void {
    this.change(jid, { draft });
  }

  setComposing(): void {}

  async voiceFile(id: string): Promise<Blob> {
    await pause(150);
    return this.recorded.get(id) ?? murmur(this.find(id));
  }

  async file(): Promise<Blob> {
    await pause(300);
    return new Blob([data.chart], { type: 'image/svg+xml' });
  }

  setPosition(id: string, positionMs: number): void {
    this.changeVoice(id, { positionMs });
  }

  markHeard(id: string): void {
    this.changeVoice(id, { isHeard: true });
  }

  nextUnheard(id: string): Message | null {
    const message = this.find(id);
    const thread = message ? this.messagesOf(message.conversation).peek() : [];
    const behind = thread.slice(thread.findIndex((one) => one.id === id) + 1);
    return behind.find((one) => !one.isOwn && one.content.kind === 'voice' && !one.content.isHeard) ?? null;
  }

  async devices(jid: string) {
    return data.devicesOf(jid).map((device) => ({
      ...device,
      trust: this.trust.get(`${jid} ${device.deviceId}`) ?? device.trust,
    }));
  }

  async setTrust({ jid, deviceId }: Pick<DeviceInfo, 'jid' | 'deviceId'>, trust: Trust): Promise<void> {
    this.trust.set(`${jid} ${deviceId}`, trust);
  }

  private fill(many: number): void {
    const { text, at } = data;
    this.contacts.value = data.people;
    this.add('mara@hospital.example', data.maraMessages(), { unread: 1, isTyping: true });
    this.add('ward3@hospital.example', data.jonasMessages(), { unread: 4 });
    this.few('amira@clinic.example', at('16:20'), 'The board meets at 19:00, all figures attached.', 'sealed+archive');
    this.few('theo@hospital.example', at('13:47'), "I'll call you after the round", 'sealed', {
      draft: 'Wait for the',
    });
    this.add('vera@partner.example', data.veraMessages(), { isPlainFromThem: true });
    this.few('dispatch@partner.example', at('11:02', 2), text('Unit 4 is back at the station.'), 'managed');
    this.add('elif@hospital.example', data.manyMessages('elif@hospital.example', many), {});
  }

  private few(
    jid: string,
    time: number,
    said: string | Message['content'],
    of: Confidentiality,
    more: Partial<Conversation> = {},
  ): void {
    const isOwn = typeof said === 'string';
    const content = typeof said === 'string' ? data.text(said) : said;
    const last = data.message(jid, isOwn, time, content);
    this.add(jid, data.fewMessages(jid, last), { confidentiality: of, ...more });
  }

  private add(jid: string, messages: readonly Message[], more: Partial<Conversation>): void {
    this.threads.set(jid, signal(messages));
    const contact = data.people.find((one) => one.jid === jid);
    const last = messages.at(-1);
    const conversation: Conversation = {
      jid,
      name: contact?.name ?? jid,
      confidentiality: 'sealed',
      isPlainFromThem: false,
      unread: 0,
      isTyping: false,
      isRecording: false,
      availability: contact?.availability ?? 'offline',
      draft: '',
      ...(last ? { lastMessage: last } : {}),
      ...more,
    };
    this.conversations.value = [...this.conversations.value, conversation];
  }

  private messagesOf(jid: string): Signal<readonly Message[]> {
    if (!this.threads.has(jid)) this.add(jid, [], {});
    return this.threads.get(jid) ?? signal([]);
  }

  private find(id: string): Message | undefined {
    return [...this.threads.values()].flatMap((thread) => thread.peek()).find((message) => message.id === id);
  }

  private append(message: Message): void {
    const thread = this.messagesOf(message.conversation);
    thread.value = [...thread.value, message];
    this.change(message.conversation, { lastMessage: message, draft: '' });
  }

  /** An own message's way through its states, and an answer. */
  private async progress(jid: string): Promise<void> {
    const id = this.messagesOf(jid).peek().at(-1)?.id ?? '';
    for (const state of ['sent', 'delivered', 'read'] as const) {
      await pause(600);
      this.changeMessage(id, (message) => ({ ...message, state }));
    }
    if (this.query.has('quiet')) return;
    this.change(jid, { isTyping: true });
    await pause(1500);
    this.change(jid, { isTyping: false });
    this.append(data.message(jid, false, Date.now(), data.text('Got it, thanks!')));
  }

  private change(jid: string, to: Partial<Conversation>): void {
    this.conversations.value = this.conversations.value.map((one) => (one.jid === jid ? { ...one, ...to } : one));
  }

  private changeMessage(id: string, to: (message: Message) => Message): void {
    for (const thread of this.threads.values()) {
      if (!thread.peek().some((message) => message.id === id)) continue;
      thread.value = thread.value.map((message) => (message.id === id ? to(message) : message));
    }
  }

  private changeVoice(id: string, to: { positionMs?: number; isHeard?: boolean }): void {
    this.changeMessage(id, (message) =>
      message.content.kind === 'voice' ? { ...message, content: { ...message.content, ...to } } : message,
    );
  }
}

class DemoThread implements Thread {
  readonly messages: Signal<readonly Message[]> = signal([]);
  readonly isLoading = signal(false);
  readonly hasOlder = signal(false);
  private shown = pageSize;
  private readonly stop: () => void;

  constructor(
    readonly jid: string,
    private readonly all: Signal<readonly Message[]>,
    readonly firstUnread: string | null,
    private readonly read: () => void,
  ) {
    let known = all.peek().length;
    this.stop = all.subscribe((messages) => {
      this.shown += messages.length - known;
      known = messages.length;
      this.show();
    });
  }

  async loadOlder(): Promise<void> {
    this.isLoading.value = true;
    await pause(250);
    this.shown += pageSize;
    this.show();
    this.isLoading.value = false;
  }

  markRead(): void {
    this.read();
  }

  close(): void {
    this.stop();
  }

  private show(): void {
    const messages = this.all.peek();
    this.messages.value = messages.slice(-this.shown);
    this.hasOlder.value = this.shown < messages.length;
  }
}

/** Something to hear: a voice-like hum whose loudness follows the wave, as a WAV file (mono, 16 bit, 8 kHz). */
function murmur(message: Message | undefined): Blob {
  const content = message?.content;
  const bars = content?.kind === 'voice' ? content.waveform : [];
  const rate = 8000;
  const total = Math.round(((content?.kind === 'voice' ? content.durationMs : 1000) * rate) / 1000);
  const samples = new Int16Array(total);
  for (let index = 0; index < total; index += 1) {
    const level = bars[Math.floor((index / total) * bars.length)] ?? 0.2;
    const hum = Math.sin((index / rate) * 2 * Math.PI * 140) + 0.5 * Math.sin((index / rate) * 2 * Math.PI * 420);
    samples[index] = hum * level * 9000;
  }
  const header = new DataView(new ArrayBuffer(44));
  const put = (offset: number, words: string) => {
    for (let index = 0; index < words.length; index += 1) header.setUint8(offset + index, words.charCodeAt(index));
  };
  put(0, 'RIFF');
  header.setUint32(4, 36 + total * 2, true);
  put(8, 'WAVEfmt ');
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  put(36, 'data');
  header.setUint32(40, total * 2, true);
  return new Blob([header, samples], { type: 'audio/wav' });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
