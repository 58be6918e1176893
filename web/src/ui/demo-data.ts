/** Made-up people and messages for drawing and testing the screens without a server. Never part of a production build. */
import type { Contact, Content, DeviceInfo, Message, SendState } from '../model';

export const self = 'alice@hospital.example';
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Today at a time of day, or so many days before. */
export function at(time: string, daysAgo = 0): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return new Date(Date.now() - daysAgo * day).setHours(hours, minutes, 0, 0);
}

export const people: readonly Contact[] = [
  person('mara@hospital.example', 'Mara Klein', 'online'),
  person('ward3@hospital.example', 'Jonas Weber', 'busy'),
  person('amira@clinic.example', 'Dr. Amira Said', 'away'),
  person('theo@hospital.example', 'Theo Novak', 'online'),
  person('dispatch@partner.example', 'Dispatch centre', 'offline'),
  person('elif@hospital.example', 'Elif Brandt', 'offline', at('09:12', 1)),
  { ...person('sam@clinic.example', 'Samuel Okafor', 'offline'), isRequested: true, subscription: 'none' },
  person('nina@hospital.example', 'Nina Álvarez', 'offline', at('16:40', 3)),
];

function person(jid: string, name: string, availability: Contact['availability'], lastSeen?: number): Contact {
  const base = { jid, name, availability, subscription: 'both', isRequested: false } as const;
  return lastSeen === undefined ? base : { ...base, lastSeen };
}

let lastId = 0;

interface More {
  readonly state?: SendState;
  readonly failure?: NonNullable<Message['failure']>;
  readonly waitingFor?: NonNullable<Message['waitingFor']>;
}

/** A message of a conversation; `isOwn` ones have been read unless `more` says otherwise. */
export function message(
  conversation: string,
  isOwn: boolean,
  time: number,
  content: Content,
  more: More = {},
): Message {
  lastId += 1;
  const state: Partial<Message> = isOwn ? { state: 'read', ...more } : {};
  const id = `demo-${lastId}`;
  const sender = isOwn ? self : conversation;
  return { id, conversation, isOwn, sender, at: time, content, confidentiality: 'sealed', ...state };
}

export const text = (words: string): Content => ({ kind: 'text', text: words });

/** A voice message whose wave looks like speech: phrases with pauses, stressed syllables in them. */
export function voice(seconds: number, seed: number, more: { isHeard?: boolean; positionMs?: number } = {}): Content {
  const waveform = Array.from({ length: 44 }, (_, index) => {
    const phrase = Math.max(0, Math.sin(index / 4.1 + seed * 1.7) + 0.45) / 1.45;
    const syllable = 0.62 + 0.26 * Math.sin(index * 1.13 + seed) + 0.12 * Math.sin(index * 2.9 + seed * 3);
    return Math.round(Math.max(0.02, phrase * syllable) * 1000) / 1000;
  });
  const durationMs = seconds * 1000;
  const sizeBytes = seconds * 3100;
  return { kind: 'voice', durationMs, sizeBytes, waveform, isHeard: true, positionMs: 0, ...more };
}

/** The conversation of the two reference pictures, with one of each kind of message. */
export function maraMessages(): Message[] {
  const mara = 'mara@hospital.example';
  const note = { kind: 'note', note: 'new-device', jid: mara, deviceName: 'Firefox · Linux' } as const;
  return [
    message(mara, false, at('08:20', 1), text('Morning! Are you on call this week?')),
    message(mara, true, at('08:24', 1), text('Until Thursday. Rota: https://hospital.example/rota')),
    message(mara, false, at('18:00'), note),
    message(mara, false, at('18:02'), text('Ward 3 is asking whether the transfer is on for tonight.')),
    message(mara, false, at('18:03'), voice(23, 1, { positionMs: 14_300 })),
    message(mara, true, at('18:05'), text('Yes, 21:30, ambulance is booked.')),
    message(mara, true, at('18:06'), voice(41, 4)),
    message(
      mara,
      false,
      at('18:09'),
      text(
        "Perfect. One more thing: the on-call list has the old number, I'll send you the new one by voice, I'm walking.",
      ),
    ),
    message(mara, false, at('18:11'), voice(72, 7, { isHeard: false })),
  ];
}

/** Every state a message can be in. */
export function jonasMessages(): Message[] {
  const jonas = 'ward3@hospital.example';
  return [
    message(jonas, false, at('17:10'), text('Handover at seven, room 12.')),
    message(jonas, true, at('17:12'), text('Read by him.')),
    message(jonas, true, at('17:13'), text('Delivered to him.'), { state: 'delivered' }),
    message(jonas, true, at('17:14'), text('Only on the server so far.'), { state: 'sent' }),
    message(jonas, true, at('17:15'), { ...voice(8, 2, { isHeard: false }), progress: 0.4 } as Content, {
      state: 'sending',
      waitingFor: 'upload',
    }),
    message(jonas, false, at('17:20'), { kind: 'unreadable', reason: 'not-for-this-device' }),
    message(jonas, false, at('17:21'), {
      kind: 'file',
      name: 'handover-ward-3.pdf',
      mediaType: 'application/pdf',
      sizeBytes: 412_000,
      isStored: false,
    }),
    message(jonas, false, at('17:25'), { kind: 'note', note: 'key-changed', jid: jonas }),
    message(jonas, true, at('17:30'), text('This one did not get through.'), {
      state: 'failed',
      failure: 'unreachable',
    }),
    message(jonas, true, at('17:32'), text('And this one waits for a decision.'), {
      state: 'waiting',
      waitingFor: 'trust',
    }),
    message(jonas, true, at('17:33'), text('Written without a connection.'), {
      state: 'waiting',
      waitingFor: 'connection',
    }),
    ...['Are you coming?', 'We start without you then.', 'Bring the chart of bed 4, please.', 'Thanks!'].map(
      (words, index) => message(jonas, false, at('17:37') + index * minute, text(words)),
    ),
  ];
}

/** From an app that does not seal, with a picture, and from a device that was replaced. */
export function veraMessages(): Message[] {
  const vera = 'vera@partner.example';
  const picture = {
    kind: 'file',
    name: 'chart.png',
    mediaType: 'image/png',
    sizeBytes: 48_000,
    isStored: true,
  } as const;
  return [
    message(vera, false, at('09:10', 2), picture),
    message(vera, false, at('09:12', 2), { ...picture, name: 'ward-plan.jpg', isStored: false }),
    message(vera, true, at('09:15', 2), text('Got both.')),
    message(vera, false, at('10:01', 1), { kind: 'note', note: 'key-changed', jid: vera }),
    message(vera, false, at('10:02', 1), { kind: 'unreadable', reason: 'key-changed' }),
    message(vera, false, at('11:40'), { kind: 'note', note: 'plain-from-them', jid: vera }),
    { ...message(vera, false, at('11:40'), text('My new app does not seal yet.')), confidentiality: 'managed' },
    message(vera, true, at('11:42'), text('No matter, mine still does.'), { state: 'waiting', waitingFor: 'devices' }),
  ];
}

/** A picture for the demonstration. */
export const chart =
  '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480"><rect width="640" height="480" fill="#dfe8ea"/>' +
  '<path d="M20 400 140 300 260 340 380 180 500 220 620 60" fill="none" stroke="#006d77" stroke-width="12"/></svg>';

/** A long thread, for scrolling and measuring. */
export function manyMessages(jid: string, count: number): Message[] {
  const words = [
    'Ok.',
    'On my way.',
    'The lift is out of order, take the stairs by the east wing.',
    'Bed 7 is free now.',
  ];
  const longer =
    'Could you look at the chart before the round? The night shift noted something about the dosage, and I would rather be sure.';
  const start = Date.now() - count * 7 * minute - day;
  return Array.from({ length: count }, (_, index) => {
    const content =
      index % 17 === 5 ? voice(5 + (index % 40), index) : text(index % 9 === 4 ? longer : (words[index % 4] ?? ''));
    return message(jid, index % 5 < 2, start + index * 7 * minute, content);
  });
}

export function fewMessages(jid: string, last: Message): Message[] {
  return [message(jid, false, last.at - hour, text('Hello!')), last];
}

/** The devices of an address, as the details show them. */
export function devicesOf(jid: string): DeviceInfo[] {
  const one = (deviceId: number, name: string, trust: DeviceInfo['trust'], isThisDevice = false): DeviceInfo => ({
    jid,
    deviceId,
    name,
    trust,
    isThisDevice,
    isActive: true,
    firstSeen: at('10:00', 20),
    fingerprint: groupsOf(jid, deviceId),
  });
  if (jid === self) return [one(11, 'Firefox · Linux', 'verified', true), one(12, 'Phone', 'verified')];
  return [one(1, 'Phone', 'verified'), one(2, 'Browser', 'trusted-first-use'), one(3, '', 'distrusted')];
}

function groupsOf(jid: string, deviceId: number): string[] {
  let value = deviceId * 2_654_435_761 + jid.length * 40_503;
  return Array.from({ length: 8 }, () => {
    value = Math.imul(value ^ (value >>> 15), 2_246_822_519) >>> 0;
    return value.toString(16).padStart(8, '0');
  });
}
