import { describe, expect, it } from 'vitest';
import {
  authenticationId,
  deriveVerifier,
  deviceNameOf,
  newResource,
  newSecret,
  prepareSecret,
  signInErrorOf,
} from './auth';

const encoder = new TextEncoder();

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

describe('deriveVerifier', () => {
  // The exchange printed in RFC 7677 section 3.
  const authMessage =
    'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';

  async function sign(key: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const hmac = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return new Uint8Array(await crypto.subtle.sign('HMAC', hmac, encoder.encode(authMessage)));
  }

  it('gives the server key of the published exchange', async () => {
    const { serverKey } = await deriveVerifier('pencil', bytes('W22ZaJ0SNY7soEsUEjb6gQ=='));
    expect(await sign(bytes(serverKey))).toEqual(bytes('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
  });

  it('gives a stored key that accepts the published proof', async () => {
    const { storedKey } = await deriveVerifier('pencil', bytes('W22ZaJ0SNY7soEsUEjb6gQ=='));
    const proof = bytes('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=');
    const signature = await sign(bytes(storedKey));
    const clientKey = proof.map((byte, index) => byte ^ (signature[index] ?? 0));
    expect(new Uint8Array(await crypto.subtle.digest('SHA-256', clientKey))).toEqual(bytes(storedKey));
  });
});

describe('names and secrets', () => {
  it('names the installation in the SASL user name, escaped as SCRAM wants it', () => {
    const credentials = { jid: 'a=b,c@d', resource: 'parley-web.1', secret: 's' };
    expect(authenticationId({ ...credentials, kind: 'device' })).toBe('a=3Db=2Cc/parley-web.1');
    expect(authenticationId({ ...credentials, kind: 'password' })).toBe('a=3Db=2Cc');
  });

  it('makes secrets of 32 bytes in base64url', () => {
    expect(newSecret()).toMatch(/^[\w-]{43}$/);
    expect(newSecret()).not.toBe(newSecret());
    expect(newResource()).toMatch(/^parley-web\.[0-9a-f]{8}$/);
  });

  it('prepares typed passwords', () => {
    expect(prepareSecret('a\u00A0b\u00ADc')).toBe('a bc');
    expect(prepareSecret('\u2168')).toBe('IX');
  });
});

describe('signInErrorOf', () => {
  it.each([
    ['not-authorized', [], 'wrong-credentials'],
    ['account-disabled', [], 'suspended'],
    ['temporary-auth-failure', [], 'throttled'],
    ['temporary-auth-failure', ['server-error'], 'server-error'],
    ['server-signature', [], 'server-error'],
  ] as const)('%s %j is %s', (condition, details, expected) => {
    expect(signInErrorOf(condition, details)).toBe(expected);
  });
});

describe('deviceNameOf', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox · Linux'],
    [
      'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
      'Chrome · Android',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      'Safari · iPhone',
    ],
    ['something else', 'Browser'],
  ])('%s', (userAgent, expected) => {
    expect(deviceNameOf(userAgent)).toBe(expected);
  });
});
