import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromBase64, fromUtf8, toBase64, toUtf8 } from './bytes';
import { OmemoDevice } from './device';
import { LocalLocks } from './locks';
import { MemoryStore } from './memory-store';
import type { Bundle, Decrypted, Encrypted, Format } from './types';

/*
 * The same conversations against another author's implementation: python's oldmemo and twomemo, in a process of their
 * own that speaks JSON lines.
 */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PYTHON = `${ROOT}.venv/bin/python`;
const PEER = `${ROOT}tests/web/interop/omemo_peer.py`;
const IS_AVAILABLE = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import oldmemo, twomemo']).status === 0;

const WEB = 'web@localhost';
const PYTHON_ADDRESS = { jid: 'python@localhost', deviceId: 1 };

interface WireMessage {
  readonly data: string;
  readonly preKey: boolean;
  readonly iv: string;
  readonly payload: string | null;
}

interface JsonBundle {
  readonly identityKey: string;
  readonly signedPreKeyId: number;
  readonly signedPreKey: string;
  readonly signedPreKeySignature: string;
  readonly preKeys: readonly { readonly id: number; readonly key: string }[];
}

class PythonPeer {
  private readonly answers: AsyncIterator<string>;

  constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ask<T>(op: string, request: object): Promise<T> {
    this.child.stdin.write(`${JSON.stringify({ op, ...request })}\n`);
    const line = await this.answers.next();
    const answer = JSON.parse(line.value as string) as { ok: T } | { error: string; text: string };
    if ('error' in answer) {
      throw new Error(`${answer.error}: ${answer.text}`);
    }
    return answer.ok;
  }

  end(): void {
    this.child.stdin.end();
  }
}

/** The web core and Python's, with the translation between objects and JSON. */
class Dialogue {
  private constructor(
    readonly device: OmemoDevice,
    private readonly python: PythonPeer,
    private readonly format: Format,
    private readonly hasSign: boolean,
  ) {}

  static async begin(python: PythonPeer, format: Format): Promise<Dialogue> {
    const device = await OmemoDevice.open(new MemoryStore(), WEB, { locks: new LocalLocks() });
    const bundle = await device.bundle('legacy');
    return new Dialogue(device, python, format, ((bundle.signedPreKeySignature[63] as number) & 0x80) !== 0);
  }

  async startFromWeb(): Promise<void> {
    const bundle = await this.python.ask<JsonBundle>('bundle', { format: this.format });
    await this.device.startSession(PYTHON_ADDRESS, bundleFromJson(bundle), this.format);
  }

  async startFromPython(text: string): Promise<WireMessage> {
    const bundle = bundleToJson(await this.device.bundle(this.format));
    return this.python.ask('start', { ...this.common(), bundle, plaintext: toBase64(toUtf8(text)) });
  }

  async webSends(text: string | null): Promise<WireMessage> {
    const encrypted = await this.device.encrypt(text === null ? null : toUtf8(text), [PYTHON_ADDRESS], this.format);
    return messageToJson(encrypted);
  }

  pythonSends(text: string | null): Promise<WireMessage> {
    return this.python.ask('encrypt', { ...this.common(), plaintext: text === null ? null : toBase64(toUtf8(text)) });
  }

  async pythonReads(message: WireMessage): Promise<string | null> {
    const plaintext = await this.python.ask<string | null>('decrypt', {
      ...this.common(),
      ...message,
      hasSign: this.hasSign,
    });
    return plaintext === null ? null : fromUtf8(fromBase64(plaintext));
  }

  async webReads(message: WireMessage): Promise<{ text: string | null; decrypted: Decrypted }> {
    const decrypted = await this.device.decrypt(
      PYTHON_ADDRESS,
      { data: fromBase64(message.data), preKey: message.preKey },
      fromBase64(message.iv),
      message.payload === null ? null : fromBase64(message.payload),
      this.format,
    );
    return { text: decrypted.plaintext === null ? null : fromUtf8(decrypted.plaintext), decrypted };
  }

  private common(): { format: Format; device: number } {
    return { format: this.format, device: this.device.deviceId };
  }
}

describe.skipIf(!IS_AVAILABLE)('with oldmemo and twomemo (needs the Python packages)', () => {
  let python: PythonPeer;

  beforeEach(() => {
    python = new PythonPeer(spawn(PYTHON, [PEER]));
  });

  afterEach(() => {
    python.end();
  });

  describe.each(['legacy', 'omemo2'] as const)('%s', (format) => {
    test('the web app begins', async () => {
      const both = await Dialogue.begin(python, format);
      await both.startFromWeb();
      for (const text of ['one', 'two', 'grüße 🎙']) {
        const sent = await both.webSends(text);
        expect(sent.preKey).toBe(true);
        expect(await both.pythonReads(sent)).toBe(text);
      }
      const answer = await both.webReads(await both.pythonSends('answer'));
      expect(answer).toMatchObject({ text: 'answer', decrypted: { trust: 'trusted-first-use', usedPreKey: false } });
      const confirmed = await both.webSends('confirmed');
      expect(confirmed.preKey).toBe(false);
      expect(await both.pythonReads(confirmed)).toBe('confirmed');
    });

    test('Python begins', async () => {
      const both = await Dialogue.begin(python, format);
      const first = await both.webReads(await both.startFromPython('hello'));
      expect(first).toMatchObject({ text: 'hello', decrypted: { usedPreKey: true, needsReply: true } });
      const second = await both.webReads(await both.pythonSends('again'));
      expect(second).toMatchObject({ text: 'again', decrypted: { usedPreKey: false } });
      expect(await both.pythonReads(await both.webSends(null))).toBeNull();
      const third = await both.pythonSends('ratcheted');
      expect(third.preKey).toBe(false);
      expect((await both.webReads(third)).text).toBe('ratcheted');
      expect((await both.webReads(await both.pythonSends(null))).text).toBeNull();
    });

    test('messages overtake one another in both directions and across turns', async () => {
      const both = await Dialogue.begin(python, format);
      await both.startFromWeb();
      const opening = [await both.webSends('a0'), await both.webSends('a1'), await both.webSends('a2')];
      expect(await both.pythonReads(opening[2] as WireMessage)).toBe('a2');
      expect(await both.pythonReads(opening[0] as WireMessage)).toBe('a0');
      const answers = [await both.pythonSends('b0'), await both.pythonSends('b1'), await both.pythonSends('b2')];
      expect((await both.webReads(answers[1] as WireMessage)).text).toBe('b1');
      expect(await both.pythonReads(await both.webSends('a3'))).toBe('a3');
      expect(await both.pythonReads(opening[1] as WireMessage)).toBe('a1');
      expect((await both.webReads(await both.pythonSends('b3'))).text).toBe('b3');
      expect((await both.webReads(answers[2] as WireMessage)).text).toBe('b2');
      expect((await both.webReads(answers[0] as WireMessage)).text).toBe('b0');
      await expect(both.webReads(answers[0] as WireMessage)).rejects.toMatchObject({ code: 'duplicate-message' });
    });

    test('both begin at once', async () => {
      const both = await Dialogue.begin(python, format);
      await both.startFromWeb();
      const fromWeb = await both.webSends('from the web');
      const fromPython = await both.startFromPython('from Python');
      expect(await both.pythonReads(fromWeb)).toBe('from the web');
      expect((await both.webReads(fromPython)).text).toBe('from Python');
      // Python keeps one session, the one it was sent last; the web app has both and follows.
      expect((await both.webReads(await both.pythonSends('settled'))).text).toBe('settled');
      expect(await both.pythonReads(await both.webSends('settled here too'))).toBe('settled here too');
    });

    test('many turns', async () => {
      const both = await Dialogue.begin(python, format);
      await both.startFromWeb();
      for (let turn = 0; turn < 20; turn += 1) {
        expect(await both.pythonReads(await both.webSends(`w${turn}`))).toBe(`w${turn}`);
        expect((await both.webReads(await both.pythonSends(`p${turn}`))).text).toBe(`p${turn}`);
      }
    });

    test('a session that Python has lost is rebuilt', async () => {
      const both = await Dialogue.begin(python, format);
      await both.startFromWeb();
      await both.pythonReads(await both.webSends('before'));
      await both.webReads(await both.pythonSends('before'));
      expect((await both.webReads(await both.startFromPython('after'))).text).toBe('after');
      expect(await both.pythonReads(await both.webSends('healed'))).toBe('healed');
    });
  });
});

function bundleToJson(bundle: Bundle): object {
  return {
    identityKey: toBase64(bundle.identityKey),
    signedPreKeyId: bundle.signedPreKeyId,
    signedPreKey: toBase64(bundle.signedPreKey),
    signedPreKeySignature: toBase64(bundle.signedPreKeySignature),
    preKeys: bundle.preKeys.map(({ id, key }) => ({ id, key: toBase64(key) })),
  };
}

function bundleFromJson(json: JsonBundle): Bundle {
  return {
    deviceId: PYTHON_ADDRESS.deviceId,
    identityKey: fromBase64(json.identityKey),
    signedPreKeyId: json.signedPreKeyId,
    signedPreKey: fromBase64(json.signedPreKey),
    signedPreKeySignature: fromBase64(json.signedPreKeySignature),
    preKeys: json.preKeys.map(({ id, key }) => ({ id, key: fromBase64(key) })),
  };
}

function messageToJson(encrypted: Encrypted): WireMessage {
  const [key] = encrypted.keys;
  return {
    data: toBase64(key?.data ?? new Uint8Array(0)),
    preKey: key?.preKey ?? false,
    iv: toBase64(encrypted.iv ?? new Uint8Array(0)),
    payload: encrypted.payload === null ? null : toBase64(encrypted.payload),
  };
}
