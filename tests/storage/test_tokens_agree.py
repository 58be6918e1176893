"""Tokens in any order of events: both storages say the same, and what a rule forbids never happens."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from parley.domain.errors import LimitReached
from parley.domain.tokens import Token

from .people import ALICE, AnyStorage, credential, open_storage

CLIENTS = (b"a" * 32, b"b" * 32)
RESOURCES = ("phone", "tablet", "desk")
NUMBER = st.integers(0, 3)
STEP = st.one_of(
    st.tuples(st.just("seen"), st.sampled_from(RESOURCES), st.sampled_from((*CLIENTS, b"")), st.booleans()),
    st.tuples(st.just("issue"), st.sampled_from(CLIENTS), st.integers(1, 100)),
    st.tuples(st.just("use"), NUMBER, st.one_of(st.none(), st.integers(1, 5))),
    st.tuples(st.just("revoke"), st.sampled_from(RESOURCES)),
    st.tuples(st.just("forget"), st.sampled_from(CLIENTS)),
    st.tuples(st.just("revoke_all")),
    st.tuples(st.just("password")),
)


class Run:
    """One storage under the steps; `answers` collects what it says."""

    def __init__(self, storage: AnyStorage, account: int) -> None:
        self.storage = storage
        self.account = account
        self.issued: list[Token] = []
        self.answers: list[object] = []
        self.now = 100

    async def do(self, step: tuple[object, ...]) -> None:
        self.now += 1
        answer = await getattr(self, f"_{step[0]}")(*step[1:])
        self.answers.append((step, answer))
        tokens = [token for client in CLIENTS for token in await self.storage.tokens.find(ALICE, client)]
        self.answers.append(tokens)
        self.answers.append(await self.storage.devices.all(self.account))
        self._check(tokens)

    def _check(self, tokens: list[Token]) -> None:
        for client in CLIENTS:
            states = [token.is_used for token in tokens if token.client == client]
            assert states in ([], [False], [True], [False, True])

    async def _seen(self, resource: str, client: bytes, is_refusing: bool) -> object:
        try:
            await self.storage.devices.seen(
                self.account, resource, "", "", self.now, client=client, keep=2, is_refusing=is_refusing
            )
        except LimitReached as error:
            return error.code
        return None

    async def _issue(self, client: bytes, lifetime: int) -> object:
        nonce = len(self.issued).to_bytes(4, "big")
        token = Token(self.account, client, nonce, "HT-SHA-256-NONE", "", self.now, self.now + lifetime)
        self.issued.append(token)
        known = [device for device in await self.storage.devices.all(self.account) if device.client == client]
        is_given = await self.storage.tokens.issue(token)
        assert is_given == bool(known)
        return is_given

    async def _use(self, number: int, count: int | None) -> object:
        if number >= len(self.issued):
            return None
        token = self.issued[-1 - number]
        before = [each for each in await self.storage.tokens.find(ALICE, token.client) if each.nonce == token.nonce]
        is_good = await self.storage.tokens.use(token, count)
        assert is_good == (bool(before) and (count is None or count > before[0].count))
        return is_good

    async def _revoke(self, resource: str) -> object:
        return await self.storage.devices.revoke(self.account, resource)

    async def _forget(self, client: bytes) -> object:
        return await self.storage.tokens.forget(self.account, client)

    async def _revoke_all(self) -> object:
        return await self.storage.devices.revoke_all(self.account)

    async def _password(self) -> object:
        return await self.storage.accounts.set_credentials(self.account, [credential()])


async def run(kind: str, folder: Path, steps: list[tuple[object, ...]]) -> list[object]:
    async with open_storage(kind, folder) as storage:
        account = await storage.accounts.add(ALICE, [], 1)
        run_ = Run(storage, account.id)
        for step in steps:
            await run_.do(step)
        return run_.answers


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_both_storages_agree(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = [asyncio.run(run(kind, Path(folder), steps)) for kind in ("memory", "sqlite")]
    assert found[0] == found[1]
