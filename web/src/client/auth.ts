import type { SignInError } from '../model';
import { localOf } from './jid';

/** How to sign in: with the person's password once, later with the secret of this installation. */
export interface Credentials {
  readonly kind: 'password' | 'device';
  /** Bare address. */
  readonly jid: string;
  readonly resource: string;
  readonly secret: string;
}

/** What the server needs to check a device secret without knowing it (RFC 5802 section 3). All are base64. */
export interface Verifier {
  readonly mechanism: 'SHA-256';
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

const ITERATIONS = 4096;

/** The SASL user name: the account, or the account with the installation that the credential belongs to. */
export function authenticationId(credentials: Credentials): string {
  const local = localOf(credentials.jid);
  const name = credentials.kind === 'device' ? `${local}/${credentials.resource}` : local;
  // RFC 5802 section 5.1: ',' and '=' in a user name are written as '=2C' and '=3D'.
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/** A new name for this installation, kept as long as its data. */
export function newResource(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `parley-web.${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** 32 random bytes in base64url: ASCII, so that SASLprep leaves it alone. */
export function newSecret(): string {
  const text = base64(crypto.getRandomValues(new Uint8Array(32)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Derives SCRAM-SHA-256 keys of a secret (RFC 5802 section 3, RFC 7677). */
export async function deriveVerifier(
  secret: string,
  salt: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(16)),
): Promise<Verifier> {
  const password = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), 'PBKDF2', false, [
    'deriveBits',
  ]);
  const salted = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', salt, iterations: ITERATIONS, hash: 'SHA-256' },
    password,
    256,
  );
  const clientKey = await hmac(salted, 'Client Key');
  return {
    mechanism: 'SHA-256',
    salt: base64(salt),
    iterations: ITERATIONS,
    storedKey: base64(new Uint8Array(await crypto.subtle.digest('SHA-256', clientKey))),
    serverKey: base64(new Uint8Array(await hmac(salted, 'Server Key'))),
  };
}

/** The part of SASLprep (RFC 4013) that matters for typed passwords: spaces, invisible characters, NFKC. */
export function prepareSecret(password: string): string {
  return password
    .replace(/[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, ' ')
    .replace(/\u034F|[\u180B-\u180D]|[\uFE00-\uFE0F]|[\u00AD\u1806\u200B\u200C\u2060\uFEFF]|\u200D/g, '')
    .normalize('NFKC');
}

/**
 * What a SASL failure (RFC 6120 section 6.5) means to the person.
 *
 * @param condition Name of the condition element.
 * @param details Names of other elements in the failure: an application's own conditions.
 */
export function signInErrorOf(condition: string, details: readonly string[] = []): SignInError {
  if (condition === 'temporary-auth-failure') {
    return details.includes('server-error') ? 'server-error' : 'throttled';
  }
  return SASL_ERRORS[condition] ?? 'server-error';
}

const SASL_ERRORS: Readonly<Record<string, SignInError>> = {
  'not-authorized': 'wrong-credentials',
  'credentials-expired': 'wrong-credentials',
  'invalid-authzid': 'wrong-credentials',
  'account-disabled': 'suspended',
  'malformed-request': 'bad-address',
};

/** A name that a person recognises whatever their language, for example "Firefox · Linux": others read it as well. */
export function deviceNameOf(userAgent: string): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1] ?? 'Browser';
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  return system ? `${browser} · ${system}` : browser;
}

// The order counts: most browsers name others as well, and Android names Linux.
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg(e|A|iOS)?\//, 'Edge'],
  [/OPR\/|Opera/, 'Opera'],
  [/SamsungBrowser\//, 'Samsung Internet'],
  [/Firefox\/|FxiOS\//, 'Firefox'],
  [/Chrome\/|CriOS\/|Chromium\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/Android/, 'Android'],
  [/iPhone|iPod/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Windows/, 'Windows'],
  [/CrOS/, 'ChromeOS'],
  [/Mac OS X|Macintosh/, 'Mac'],
  [/Linux|X11/, 'Linux'],
];

async function hmac(key: ArrayBuffer, text: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
