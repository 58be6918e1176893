"""Sessions over a restart and over a crash of the server: nothing is lost, nothing comes twice, nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges.xmpp.clients.test_stream_management import SM, resume
from tests.edges.xmpp.delivery.test_delivery_model import NAMES, RESUME_S, SILENT, Client, everybody, people
from tests.edges.xmpp.harness import address
from tests.edges.xmpp.wires import an_edge

from parley.storage.memory.store import MemoryStorage

LIMITS = {"sm_resume_timeout_s": RESUME_S, "idle_before_ping_s": 100_000}


@dataclass
class MemoryJournal:
    """A journal that is there for the next process. `size` is how many payloads have room."""

    size: int = 1000
    payloads: list[bytes] = field(default_factory=list)
    is_frozen: bool = False
    """The process is about to die: what it writes from now on never was."""

    def read(self, newer_than: int) -> list[bytes]:
        return list(self.payloads)

    def begin(self, payloads: Sequence[bytes]) -> None:
        if not self.is_frozen:
            self.payloads = list(payloads)

    def write(self, payload: bytes) -> bool:
        if len(self.payloads) >= self.size:
            return False
        if not self.is_frozen:
            self.payloads.append(payload)
        return True

    def close(self) -> None:
        return None

    def remove(self) -> None:
        self.payloads.clear()


def after(journal: MemoryJournal) -> MemoryJournal:
    """What the next process finds."""
    return MemoryJournal(journal.size, list(journal.payloads))


acts = st.one_of(
    st.tuples(st.just("send"), people, everybody),
    st.tuples(st.just("send"), people, everybody),
    st.tuples(st.sampled_from(("cut", "cut and lose", "come back", "acknowledge", "look")), everybody, st.none()),
    st.tuples(st.just("crash"), people, everybody),
    st.tuples(st.just("crash"), st.none(), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(acts, max_size=30), st.booleans(), st.sampled_from((2, 1000)))
def test_a_crash_loses_nothing_and_doubles_nothing(
    play: list[tuple[str, Any, Any]], is_archiving: bool, size: int
) -> None:
    asyncio.run(Play(is_archiving, MemoryJournal(size)).run(play))


class Play:
    """A server that dies now and then, and clients that resume. No client names its messages: each counts."""

    def __init__(self, is_archiving: bool, journal: MemoryJournal) -> None:
        self.archive = {"enabled": is_archiving}
        self.journal = journal
        self.storage = MemoryStorage()
        self.clients: dict[str, Client] = {}
        self.sent: list[tuple[str, str, str]] = []
        self.cursors: dict[int, int] = {}
        """How far mailboxes are delivered as far as the disk knows: cursors are written some time after they moved."""

    async def run(self, play: list[tuple[str, Any, Any]]) -> None:
        async with an_edge(limits=LIMITS, archive=self.archive) as edge:
            self.storage = edge.storage
        steps = iter(play)
        while await self._episode(steps):
            self.journal = after(self.journal)
        self._compare()

    async def _episode(self, steps: Any) -> bool:
        """From one start of the server to its death; False at the end of the play."""
        async with an_edge(limits=LIMITS, archive=self.archive, storage=self.storage, journal=self.journal) as edge:
            if not self.clients:
                for name in (*NAMES, SILENT):
                    self.clients[name] = Client(edge, name)
                    await self.clients[name].sign_in()
            for client in self.clients.values():
                client.edge = edge
            for act, who, to in steps:
                if act == "crash":
                    await self._crash(who, to)
                    return True
                self._sync()
                await self._act(act, who, to)
            for _ in range(2):
                for client in self.clients.values():
                    await client.come_back()
                    await client.acknowledge()
            return False

    async def _crash(self, who: str | None, to: str | None) -> None:
        """The server dies, perhaps between the commit of a message and all that follows it."""
        self.journal.is_frozen = True
        if who is not None and to is not None and self.clients[who].wire is not None:
            await self._send(who, to)
        for client in self.clients.values():
            # What it had written was read or not; no byte leaves before the journal has what it is about.
            if who is None:
                await client.look()
            client.wire = None
        for account_id, table in self.storage.messages._tables.accounts.items():
            table.cursor = self.cursors.get(account_id, 0)

    def _sync(self) -> None:
        tables = self.storage.messages._tables
        self.cursors = {account_id: table.cursor for account_id, table in tables.accounts.items()}

    async def _act(self, act: str, who: str, to: str) -> None:
        client = self.clients[who]
        if act == "send":
            await self._send(who, to)
        elif act.startswith("cut"):
            await client.cut(is_output_lost=act.endswith("lose"))
        elif act == "come back":
            await client.come_back()
        elif act == "acknowledge":
            await client.acknowledge()
        else:
            await client.look()

    async def _send(self, who: str, to: str) -> None:
        client, text = self.clients[who], f"{who} {len(self.sent)} {to}"
        self.sent.append((who, to, text))
        stanza = f"<message to='{address(to)}' type='chat'><body>{text}</body></message>"
        client.unacked.append(stanza)
        if client.wire is not None:
            answer = await client.edge.say(client.wire, stanza)
            if not self.journal.is_frozen:
                client.read(answer)

    def _compare(self) -> None:
        for name, client in self.clients.items():
            assert client.unacked == []
            assert client.again == 0
            for sender in NAMES:
                expected = [text for by, to, text in self.sent if to == name and by == sender]
                assert [text for text in client.bodies if text.startswith(sender)] == expected
            assert len(client.bodies) == len(set(client.bodies))


async def test_a_client_resumes_over_a_restart_and_nobody_notices() -> None:
    journal = MemoryJournal()
    async with an_edge(journal=journal) as first:
        alice, bob = Client(first, "alice"), Client(first, "bob")
        await alice.sign_in()
        await bob.sign_in()
        assert bob.wire is not None
        await first.say(bob.wire, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        await first.say(bob.wire, "<presence to='alice@example.org'><show>away</show></presence>")
        await alice.look()
        sm_id, handled = bob.sm_id, bob.handled + 1
    async with an_edge(storage=first.storage, journal=after(journal)) as second:
        restored = second.host.router.of("bob@example.org")["r"]
        assert restored.is_carbons_enabled
        assert restored.presence is not None
        assert [str(jid) for jid in restored.directed] == ["alice@example.org"]
        _, answer = await resume(second, sm_id, handled, "bob")
        assert answer.startswith("<resumed ")
        assert f'previd="{sm_id}"' in answer
        # Three stanzas: presence, carbons, directed presence.
        assert ' h="3"' in answer
        wire, answer = await resume(second, alice.sm_id, alice.handled, "alice")
        assert "<presence" not in answer
        assert "unavailable" not in await second.settle(wire)


async def test_who_does_not_come_back_in_time_is_gone() -> None:
    journal = MemoryJournal()
    async with an_edge(limits=LIMITS, journal=journal) as first:
        client = Client(first, "bob")
        await client.sign_in()
    async with an_edge(storage=first.storage, journal=after(journal), limits=LIMITS) as second:
        assert len(second.host.router.of("bob@example.org")) == 1
        second.tick(RESUME_S + 1)
        assert len(second.host.router.of("bob@example.org")) == 0
        _, answer = await resume(second, client.sm_id, client.handled, "bob")
        assert "item-not-found" in answer
        assert ' h="1"' in answer


async def test_an_ended_session_a_suspended_account_and_a_revoked_device_are_not_resumed() -> None:
    journal = MemoryJournal()
    async with an_edge(journal=journal) as first:
        clients = {name: Client(first, name) for name in NAMES}
        for client in clients.values():
            await client.sign_in()
        assert clients["alice"].wire is not None
        await first.say(clients["alice"].wire, "</stream:stream>")
        bob, carol = [await first.storage.accounts.find(f"{name}@example.org") for name in ("bob", "carol")]
        assert bob is not None
        assert carol is not None
        await first.storage.accounts.set_suspended(bob.id, True)
        await first.storage.devices.revoke(carol.id, "r")
    async with an_edge(storage=first.storage, journal=after(journal)) as second:
        assert second.host.router.count == 0


async def test_an_older_database_than_the_journals_resumes_nobody() -> None:
    journal = MemoryJournal()
    async with an_edge(journal=journal) as first:
        client = Client(first, "bob")
        await client.sign_in()
        await client.send("<message to='bob@example.org/r' type='chat'><body>one</body></message>")
    async with an_edge() as other, an_edge(storage=other.storage, journal=after(journal)) as second:
        assert second.host.router.count == 0


async def test_a_journal_of_nonsense_resumes_nobody_and_the_server_starts() -> None:
    for payload in (b"x", bytes(9), b"\x02" + bytes(8), b"\x01" + bytes(7) + b"\x01{"):
        async with an_edge(journal=MemoryJournal(payloads=[payload])) as edge:
            assert edge.host.router.count == 0
            await edge.sign_in(edge.open())


async def test_a_journal_that_cannot_be_written_ends_resumption_over_restarts_only() -> None:
    class Full(MemoryJournal):
        def write(self, payload: bytes) -> bool:
            raise OSError(5, "Input/output error")

    journal = Full()
    async with an_edge(journal=journal) as edge:
        client = Client(edge, "bob")
        await client.sign_in()
        await client.send("<message to='bob@example.org/r' type='chat'><body>one</body></message>")
        assert client.bodies == ["one"]
        assert journal.payloads == []
        await client.cut(is_output_lost=False)
        await client.come_back()
        assert client.wire is not None
        assert "<a " in await edge.say(client.wire, f"<r {SM}/>")
