import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRecord } from './codec';
import { SessionError } from './errors';
import { LEGACY } from './legacy';
import { OMEMO2 } from './omemo2';
import { generateKeyPair, type KeyPair } from './primitives';
import {
  advanceReceiving,
  advanceSending,
  type Header,
  MAX_RETIRED_CHAINS,
  MAX_SKIPPED_PER_MESSAGE,
  MAX_SKIPPED_TOTAL,
  type MessageKeys,
  type RatchetParams,
  type RatchetState,
  startReceiving,
  startSending,
} from './ratchet';

interface Pair {
  alice: RatchetState;
  bob: RatchetState;
}

function begin(params: RatchetParams): Pair {
  const signedPreKey = generateKeyPair();
  const secret = new Uint8Array(32).fill(5);
  const alice = startSending(params, secret, signedPreKey.pub, generateKeyPair());
  return { alice, bob: startReceiving(secret, signedPreKey) };
}

describe.each([LEGACY, OMEMO2])('$format', (params) => {
  test('both directions, whoever speaks', () => {
    const pair = begin(params);
    for (const [from, to] of [
      ['alice', 'bob'],
      ['alice', 'bob'],
      ['bob', 'alice'],
      ['alice', 'bob'],
      ['bob', 'alice'],
      ['bob', 'alice'],
    ] as const) {
      const sent = advanceSending(params, pair[from]);
      const got = advanceReceiving(params, pair[to], sent.header, generateKeyPair);
      expect(got.keys).toEqual(sent.keys);
      pair[from] = sent.state;
      pair[to] = got.state;
    }
    expect(pair.alice.skipped).toEqual([]);
  });

  test('a key is never used twice, in whatever chain it was', () => {
    const pair = begin(params);
    const first = advanceSending(params, pair.alice);
    let bob = advanceReceiving(params, pair.bob, first.header, generateKeyPair).state;
    expect(() => advanceReceiving(params, bob, first.header, generateKeyPair)).toThrow(
      expect.objectContaining({ code: 'duplicate-message' }),
    );
    const answer = advanceSending(params, bob);
    const alice = advanceReceiving(params, first.state, answer.header, generateKeyPair).state;
    bob = advanceReceiving(params, answer.state, advanceSending(params, alice).header, generateKeyPair).state;
    expect(() => advanceReceiving(params, bob, first.header, generateKeyPair)).toThrow(
      expect.objectContaining({ code: 'duplicate-message' }),
    );
  });

  test('a gap of the largest size is bridged, one more is refused', () => {
    const pair = begin(params);
    const { header } = advanceSending(params, pair.alice);
    const far = advanceReceiving(params, pair.bob, { ...header, index: MAX_SKIPPED_PER_MESSAGE }, generateKeyPair);
    expect(far.state.skipped).toHaveLength(MAX_SKIPPED_PER_MESSAGE);
    expect(() =>
      advanceReceiving(params, pair.bob, { ...header, index: MAX_SKIPPED_PER_MESSAGE + 1 }, generateKeyPair),
    ).toThrow(expect.objectContaining({ code: 'too-many-skipped' }));
  });

  test('the total of skipped keys is bounded, and the oldest go first', () => {
    const pair = begin(params);
    const { header } = advanceSending(params, pair.alice);
    let bob = pair.bob;
    for (let index = MAX_SKIPPED_PER_MESSAGE; index <= 3 * MAX_SKIPPED_PER_MESSAGE; index += MAX_SKIPPED_PER_MESSAGE) {
      bob = advanceReceiving(params, bob, { ...header, index }, generateKeyPair).state;
    }
    expect(bob.skipped).toHaveLength(MAX_SKIPPED_TOTAL);
    expect(() => advanceReceiving(params, bob, { ...header, index: 0 }, generateKeyPair)).toThrow(SessionError);
    advanceReceiving(params, bob, { ...header, index: 3 * MAX_SKIPPED_PER_MESSAGE - 1 }, generateKeyPair);
  });

  test('a lie about the previous chain costs bounded work and does not block the session', () => {
    const pair = begin(params);
    const first = advanceSending(params, pair.alice);
    const bob = advanceReceiving(params, pair.bob, first.header, generateKeyPair).state;
    const header = { ratchetKey: generateKeyPair().pub, previous: 0xffff_ffff, index: 0 };
    const after = advanceReceiving(params, bob, header, generateKeyPair).state;
    expect(after.skipped).toHaveLength(MAX_SKIPPED_PER_MESSAGE);
  });

  test('closed chains leave no chain key behind, and their memory is bounded', () => {
    const pair = begin(params);
    for (let round = 0; round < MAX_RETIRED_CHAINS + 5; round += 1) {
      const there = advanceSending(params, pair.alice);
      // One message of each chain is lost, and so its key is set aside.
      const later = advanceSending(params, there.state);
      pair.bob = advanceReceiving(params, pair.bob, later.header, generateKeyPair).state;
      const back = advanceSending(params, pair.bob);
      pair.bob = back.state;
      pair.alice = advanceReceiving(params, later.state, back.header, generateKeyPair).state;
    }
    expect(pair.bob.retired).toHaveLength(MAX_RETIRED_CHAINS);
    expect(pair.bob.skipped).toHaveLength(MAX_RETIRED_CHAINS + 1);
    expect(encodeRecord(pair.bob).length).toBeLessThan(20_000);
  });

  test('an all-zero shared secret is refused', () => {
    const pair = begin(params);
    const header = { ratchetKey: new Uint8Array(32), previous: 0, index: 0 };
    expect(() => advanceReceiving(params, pair.bob, header, generateKeyPair)).toThrow(
      expect.objectContaining({ code: 'weak-key' }),
    );
    expect(() => startSending(params, new Uint8Array(32), new Uint8Array(32), generateKeyPair())).toThrow(
      expect.objectContaining({ code: 'weak-key' }),
    );
  });

  test('any interleaving, loss, reordering and duplication', () => {
    fc.assert(
      fc.property(fc.array(step(), { maxLength: 60 }), (steps) => {
        new Conversation(params).play(steps);
      }),
      { numRuns: 60 },
    );
  });
});

type Step =
  | { readonly do: 'send'; readonly by: 'alice' | 'bob' }
  | { readonly do: 'deliver' | 'lose' | 'repeat' | 'forge'; readonly which: number };

function step(): fc.Arbitrary<Step> {
  const which = fc.nat(1000);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom<'alice' | 'bob'>('alice', 'bob').map((by) => ({ do: 'send', by }) as const),
    },
    { weight: 4, arbitrary: which.map((value) => ({ do: 'deliver', which: value }) as const) },
    { weight: 1, arbitrary: which.map((value) => ({ do: 'lose', which: value }) as const) },
    { weight: 1, arbitrary: which.map((value) => ({ do: 'repeat', which: value }) as const) },
    { weight: 1, arbitrary: which.map((value) => ({ do: 'forge', which: value }) as const) },
  );
}

interface Flying {
  readonly to: 'alice' | 'bob';
  readonly header: Header;
  readonly keys: MessageKeys;
}

/** Two ratchets and a network that does everything a network may do. */
class Conversation {
  private readonly pair: Pair;
  private readonly flying: Flying[] = [];
  private readonly delivered: Flying[] = [];

  constructor(private readonly params: RatchetParams) {
    this.pair = begin(params);
  }

  play(steps: readonly Step[]): void {
    for (const each of steps) {
      if (each.do === 'send') {
        this.send(each.by);
      } else if (each.do === 'repeat') {
        this.repeat(each.which);
      } else if (each.do === 'forge') {
        this.forge(each.which);
      } else {
        const [message] = this.flying.splice(each.which % Math.max(this.flying.length, 1), 1);
        if (each.do === 'deliver' && message !== undefined) {
          this.deliver(message);
        }
      }
    }
    for (const message of this.flying.splice(0)) {
      this.deliver(message);
    }
  }

  private send(by: 'alice' | 'bob'): void {
    if (this.pair[by].sending === null) {
      return;
    }
    const { state, header, keys } = advanceSending(this.params, this.pair[by]);
    this.pair[by] = state;
    this.flying.push({ to: by === 'alice' ? 'bob' : 'alice', header, keys });
  }

  private deliver(message: Flying): void {
    const { state, keys } = advanceReceiving(this.params, this.pair[message.to], message.header, generateKeyPair);
    expect(keys).toEqual(message.keys);
    this.pair[message.to] = state;
    this.delivered.push(message);
  }

  private repeat(which: number): void {
    const message = this.delivered[which % Math.max(this.delivered.length, 1)];
    if (message !== undefined) {
      this.untouched(message.to, () =>
        expect(() => advanceReceiving(this.params, this.pair[message.to], message.header, generateKeyPair)).toThrow(
          expect.objectContaining({ code: 'duplicate-message' }),
        ),
      );
    }
  }

  /** What isn't committed has left no trace: trying is free. */
  private forge(which: number): void {
    const to = which % 2 === 0 ? 'alice' : 'bob';
    const stranger: KeyPair = generateKeyPair();
    this.untouched(to, () =>
      advanceReceiving(
        this.params,
        this.pair[to],
        { ratchetKey: stranger.pub, previous: which, index: which % 50 },
        generateKeyPair,
      ),
    );
  }

  private untouched(who: 'alice' | 'bob', attempt: () => void): void {
    const before = encodeRecord(this.pair[who]);
    attempt();
    expect(encodeRecord(this.pair[who])).toEqual(before);
  }
}
