"""Tokens: what they are computed from, and that nothing tells a known installation from an unknown one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from parley.base.clock import VirtualClock
from parley.base.config import LoginSettings
from parley.domain.tokens import Token
from parley.identity.tokens import Tokens
from parley.protocols.xmpp.fast import initiator_proof
from parley.storage.memory import MemoryStorage

ALICE = "alice@example.org"
MECHANISM = "HT-SHA-256-NONE"
CLIENT = Tokens.client_of("phone")
TOKEN = Token(1, CLIENT, b"nonce", MECHANISM, "", 0, 10)


class Counting(Tokens):
    """Counts how many tokens are computed."""

    computed = 0

    def __init__(self, storage: MemoryStorage) -> None:
        super().__init__(storage.tokens, LoginSettings(), b"k" * 32, VirtualClock().now_us, bytes)

    def text_of(self, token: Token) -> str:
        self.computed += 1
        return super().text_of(token)


def tokens(storage: MemoryStorage | None = None, secret: bytes = b"k" * 32) -> Tokens:
    numbers = itertools.count(1)
    settings = LoginSettings(token_lifetime_days=3, token_rotation_hours=24)
    clock = VirtualClock()
    store = (storage or MemoryStorage()).tokens
    return Tokens(store, settings, secret, clock.now_us, lambda size: next(numbers).to_bytes(size, "big"))


def test_everything_that_a_token_is_bound_to_makes_it_another_one() -> None:
    changes: list[dict[str, object]] = [
        {"account_id": 2},
        {"client": Tokens.client_of("tablet")},
        {"nonce": b"other"},
        {"mechanism": "HT-SHA-256-ENDP"},
        {"resource": "desk"},
        # Nothing moves from one part into the next one.
        {"mechanism": MECHANISM + "r", "resource": ""},
        {"mechanism": MECHANISM[:-1], "resource": MECHANISM[-1]},
    ]
    texts = {tokens().text_of(replace(TOKEN, **change)) for change in [{}, *changes]}  # type: ignore[arg-type]
    assert len(texts) == len(changes) + 1
    assert all(len(text) == 43 for text in texts)


def test_a_token_cannot_be_computed_without_the_servers_secret() -> None:
    assert tokens().text_of(TOKEN) == tokens().text_of(replace(TOKEN, count=9, is_used=True, expires_at=99))
    assert tokens().text_of(TOKEN) != tokens(secret=b"l" * 32).text_of(TOKEN)


def test_the_resource_of_an_installation_stays_and_tells_nothing() -> None:
    one = tokens()
    assert one.resource_of(1, CLIENT) == tokens().resource_of(1, CLIENT)
    assert len({one.resource_of(1, CLIENT), one.resource_of(2, CLIENT), one.resource_of(1, b"")}) == 3
    assert len({one.random_resource() for _ in range(5)}) == 5
    assert Tokens.client_of("") == b""


async def test_what_fits() -> None:
    storage = MemoryStorage()
    account = await storage.accounts.add(ALICE, [], 1)
    await storage.devices.seen(account.id, "r", "", "", 1, client=CLIENT)
    given = tokens(storage)
    issued = await given.issue(account.id, CLIENT, MECHANISM, "")
    assert issued is not None
    claim = await given.claim(ALICE, CLIENT)
    found = given.fitting(claim, MECHANISM, initiator_proof(issued[0], b""), b"")
    assert found is not None
    assert found.account_id == account.id
    assert given.fitting(claim, "HT-SHA-256-ENDP", initiator_proof(issued[0], b"b"), b"b") is None
    assert given.fitting(claim, MECHANISM, initiator_proof(issued[0], b"x"), b"") is None
    # What stands for nothing fits nothing, whatever it is computed from.
    nothing = claim.tokens[1]
    assert given.fitting(claim, "", initiator_proof(given.text_of(nothing), b""), b"") is None


@pytest.mark.parametrize("address", [ALICE, "nobody@example.org"])
@pytest.mark.parametrize("count", [0, 1, 2])
async def test_the_work_is_the_same_whatever_there_is(address: str, count: int) -> None:
    storage = MemoryStorage()
    account = await storage.accounts.add(ALICE, [], 1)
    await storage.devices.seen(account.id, "r", "", "", 1, client=CLIENT)
    given = Counting(storage)
    for _ in range(count):
        await given.issue(account.id, CLIENT, MECHANISM, "")
        newest = (await given.claim(ALICE, CLIENT)).tokens[0]
        await given.use(newest, ALICE, None)
    claim = await given.claim(address, CLIENT)
    given.computed = 0
    given.fitting(claim, MECHANISM, b"g" * 32, b"")
    assert given.computed == 2
