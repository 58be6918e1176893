import { createDecipheriv } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { decryptFile, encryptFile, FILE_TAG_BYTES, parseAesGcmUrl, toAesGcmUrl } from './aesgcm';
import { fromHex, toHex, toUtf8 } from './bytes';

const CONTENT = toUtf8('voice');

describe('files', () => {
  test.each([
    ['bytes', CONTENT],
    ['a blob', new Blob([CONTENT])],
  ])('%s open with their secret', async (_name, content) => {
    const { ciphertext, secret } = await encryptFile(content);
    expect(ciphertext).toHaveLength(CONTENT.length + FILE_TAG_BYTES);
    expect([secret.key.length, secret.iv.length]).toEqual([32, 12]);
    expect(await decryptFile(new Blob([ciphertext]), secret)).toEqual(CONTENT);
  });

  test('another implementation reads them: ciphertext, then tag', async () => {
    const { ciphertext, secret } = await encryptFile(CONTENT);
    const decipher = createDecipheriv('aes-256-gcm', secret.key, secret.iv);
    decipher.setAuthTag(ciphertext.subarray(-FILE_TAG_BYTES));
    const opened = Buffer.concat([decipher.update(ciphertext.subarray(0, -FILE_TAG_BYTES)), decipher.final()]);
    expect(new Uint8Array(opened)).toEqual(CONTENT);
  });

  test('a changed, cut or foreign file is refused', async () => {
    const { ciphertext, secret } = await encryptFile(CONTENT);
    const other = await encryptFile(CONTENT);
    const changed = Uint8Array.from(ciphertext);
    changed[0] = (changed[0] as number) ^ 1;
    for (const bytes of [changed, ciphertext.slice(0, -1), new Uint8Array(0), other.ciphertext]) {
      await expect(decryptFile(bytes, secret)).rejects.toMatchObject({ code: 'content-corrupt' });
    }
  });

  test('a file of an older client with a 16-byte IV opens', async () => {
    const secret = { key: fromHex('11'.repeat(32)), iv: fromHex('22'.repeat(16)) };
    const key = await crypto.subtle.importKey('raw', secret.key, 'AES-GCM', false, ['encrypt']);
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: secret.iv }, key, CONTENT);
    const { secret: parsed } = parseAesGcmUrl(`aesgcm://h/f#${toHex(secret.iv)}${toHex(secret.key)}`);
    expect(parsed).toEqual(secret);
    expect(await decryptFile(new Uint8Array(sealed), parsed)).toEqual(CONTENT);
  });
});

describe('URLs', () => {
  const secret = { iv: fromHex('0a'.repeat(12)), key: fromHex('0b'.repeat(32)) };

  test('carry IV and key, in this order, in the fragment', () => {
    const url = toAesGcmUrl('https://files.parley.example:8443/a/b.ogg?x=1', secret);
    expect(url).toBe(`aesgcm://files.parley.example:8443/a/b.ogg?x=1#${'0a'.repeat(12)}${'0b'.repeat(32)}`);
    expect(parseAesGcmUrl(url)).toEqual({ url: 'https://files.parley.example:8443/a/b.ogg?x=1', secret });
  });

  test('of a server without TLS are told by their host', () => {
    const url = toAesGcmUrl('http://localhost:8080/f', secret);
    expect(parseAesGcmUrl(url, (host) => host === 'localhost:8080').url).toBe('http://localhost:8080/f');
    expect(parseAesGcmUrl(url).url).toBe('https://localhost:8080/f');
  });

  test.each([
    'https://h/f#0a',
    'aesgcm://h/f',
    `aesgcm://h/f#${'0a'.repeat(43)}`,
    `aesgcm://h/f#${'0a'.repeat(45)}`,
    `aesgcm://h/f#${'0a'.repeat(44)}a`,
    `aesgcm://h/f#${'zz'.repeat(44)}`,
    `aesgcm:///f#${'0a'.repeat(44)}`,
    `aesgcm://h/ f#${'0a'.repeat(44)}`,
  ])('refuses %s', (url) => {
    expect(() => parseAesGcmUrl(url)).toThrow(expect.objectContaining({ code: 'malformed-url' }));
  });

  test.each(['ftp://h/f', 'h/f', 'https://'])('is not made of %s', (url) => {
    expect(() => toAesGcmUrl(url, secret)).toThrow(expect.objectContaining({ code: 'malformed-url' }));
  });
});
