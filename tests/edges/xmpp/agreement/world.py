"""The world of the model: a server that dies and comes back, its storage and journal, and all devices."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from parley.domain.messages import NewMessage
from parley.domain.ports import AppendDone
from parley.domain.rooms.ports import RoomMessage
from parley.edges.xmpp.rooms.service import Rooms, restore_rooms
from parley.identity.sign_in import credentials_for
from parley.protocols.xmpp.element import Element
from parley.storage.memory.store import MemoryStorage

from ..clients.test_restart import MemoryJournal
from ..rooms.guests import admin, config
from ..wires import PASSWORD, Edge, an_edge
from .device import Device, settle
from .said import ROOM, Kind, Said
from .truth import Truth

RESUME_S: Final = 60
LIFE_S: Final = 100_000
"""By the clock on the wall, each life of the server begins so much later."""
SECTIONS: Final[dict[str, dict[str, object]]] = {
    "limits": {
        "sm_resume_timeout_s": RESUME_S,
        "idle_before_ping_s": 100_000,
        "bytes_per_s": 100_000_000,
        "burst_bytes": 100_000_000,
    },
    "archive": {"retractions": "tombstone"},
    "rooms": {"messages_per_s": 10_000, "burst_messages": 100_000},
}
DEVICES: Final = {
    # With carbons, and in the room.
    "alice/phone": (True, True),
    "alice/desk": (True, True),
    "bob/phone": (True, True),
    "bob/desk": (False, False),
    "carol/phone": (True, True),
    "carol/desk": (False, True),
}


NAMELESS: Final = "carol/desk"
"""A device that gives its messages no names of their own: it says them again only to the session they belong to."""


class DyingJournal(MemoryJournal):
    """A journal whose process may die after so many writes more."""

    left: int | None = None

    def write(self, payload: bytes) -> bool:
        if self.left == 0:
            self.is_frozen = True
        elif self.left is not None:
            self.left -= 1
        return super().write(payload)

    def begin(self, payloads: Sequence[bytes]) -> None:
        self.is_frozen = self.is_frozen or self.left == 0
        super().begin(payloads)


class World:
    """See the module. `counts` is what happened, for the figures."""

    def __init__(self, counts: Counter[str], journal_size: int) -> None:
        self.counts = counts
        self._lives = 0
        self.storage = MemoryStorage()
        self.journal = DyingJournal(journal_size)
        self.truth = Truth({name: has_carbons for name, (has_carbons, _) in DEVICES.items()})
        self.devices = {
            name: Device(name, has_carbons=has_carbons, wants_room=wants_room, hear=self.truth.hear)
            for name, (has_carbons, wants_room) in DEVICES.items()
        }
        self.edge: Edge = None  # type: ignore[assignment]
        self._life: asyncio.Task[None] | None = None
        self._death = asyncio.Event()
        self._cursors: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def token(self) -> str:
        return f"t{next(self._numbers)}"

    # The server's lives.

    async def begin(self) -> None:
        """The first start: everybody signs in, alice opens the room."""
        for name in self.truth.people:
            # The password is proved again with each connection, and is not what is tested here.
            await self.storage.accounts.add(f"{name}@example.org", credentials_for(PASSWORD, 1, bytes), 0)
        await self.start()
        for name, device in self.devices.items():
            wants, device.wants_room = device.wants_room, False
            await self.new_session(name)
            device.wants_room = wants
        await self.enter("alice/phone")
        options = {"membersonly": True, "persistentroom": True}
        members = [f"<item jid='{name}@example.org' affiliation='member'/>" for name in ("bob", "carol")]
        for request in (config(**options), admin(*members)):
            await self.devices["alice/phone"].say(self.edge, request)
        for name, device in self.devices.items():
            if device.wants_room and not self.truth.places[name].is_inside:
                await self.enter(name)

    async def start(self) -> None:
        started = asyncio.get_running_loop().create_future()
        self._death = asyncio.Event()
        self._life = asyncio.create_task(self._live(started))
        done, _ = await asyncio.wait({self._life, started}, return_when=asyncio.FIRST_COMPLETED)
        if self._life in done:
            await self._life
        for place in self.truth.places.values():
            if place.is_bound:
                place.cut_at = self.edge.clock.monotonic()

    async def _live(self, started: asyncio.Future[None]) -> None:
        async with an_edge(storage=self.storage, journal=self.journal, **SECTIONS) as edge:
            self.edge = edge
            self._lives += 1
            edge.clock.jump_wall(self._lives * LIFE_S)
            await restore_rooms(edge.host)
            started.set_result(None)
            await self._death.wait()
            assert edge.host.supervisor.failures == 0, "background work failed"

    async def die(self) -> None:
        """The process ends here and now; what it wrote is there for the next one."""
        self.journal.is_frozen = True
        for session in self.edge.host.router:
            # Tasks of a process that is killed do not begin the next thing when they end.
            session._backlog.clear()
        self._death.set()
        assert self._life is not None
        await self._life
        for store in (self.storage.messages, self.storage.rooms):
            for name in ("append", "replace", "set_subject"):
                vars(store).pop(name, None)
        self.journal = DyingJournal(self.journal.size, list(self.journal.payloads))
        for device in self.devices.values():
            device.wire = None

    async def restart(self, *, is_read: bool) -> None:
        """As an operator restarts it; clients read what it said last, or do not."""
        draining = asyncio.ensure_future(self.edge.server.drain())
        while not draining.done():
            await settle(self.edge)
            self.edge.clock.advance(0.05)
        await draining
        self.edge.host.journal.close()
        if is_read:
            for device in self.connected():
                assert device.wire is not None
                device.read(device.wire.take())
        await self.die()
        await self.start()

    async def kill(
        self, saids: list[Said], *, is_committed: bool, writes: int | None, is_read: bool, is_torn: bool = False
    ) -> None:
        """It dies while something is said, at a point between its coming in and the answer's going out.

        Args:
            saids: what is said, all by one device, which does not hear of it any more.
            is_committed: whether the log takes anything before.
            writes: how many times something is written to the journal before; None for as often as there is something.
            is_read: whether all clients read what is sent to them before, as far as the journal allows it to be sent.
            is_torn: whether it dies before what a message changes of the room is written: another one, the subject.
        """
        if is_read:
            await self.look()
        if saids:
            self.journal.left = writes
            if is_torn:
                self.storage.rooms.replace = self.storage.rooms.set_subject = _never  # type: ignore[method-assign]
            await self._say_into_death(saids, is_committed=is_committed)
            if is_read and not self.journal.is_frozen:
                await self.look()
        await self.die()
        tables = self.storage.messages._tables
        for account_id, table in tables.accounts.items():
            table.cursor = self._cursors.get(account_id, 0)
        await self.start()

    async def _say_into_death(self, saids: list[Said], *, is_committed: bool) -> None:
        device, committed = self.devices[saids[0].by], set()
        messages, rooms = self.storage.messages, self.storage.rooms
        append, append_to_room = messages.append, rooms.append

        def append_or_not(message: NewMessage, done: AppendDone) -> None:
            if is_committed and not self.journal.is_frozen:
                committed.add(message.client_id)
                append(message, done)

        async def append_to_room_or_not(room: str, message: RoomMessage, key: bytes | None = None) -> str | None:
            if is_committed and not self.journal.is_frozen:
                committed.add(Element.from_bytes(message.content).id or "")
                return await append_to_room(room, message, key)
            return await _never()

        messages.append, rooms.append = append_or_not, append_to_room_or_not  # type: ignore[method-assign]
        for said in saids:
            device.note(said)
        assert device.wire is not None
        assert device.wire.receiver is not None
        device.wire.receiver.received("".join(said.xml for said in saids).encode())
        await settle(self.edge)
        self.edge.host.journal.flush()
        written = b"".join(self.journal.payloads)
        for said in saids:
            # What nobody keeps has happened when the journal knows that it has.
            if said.token in committed or (said.kind is Kind.PRIVATE and f'id="{said.token}"'.encode() in written):
                self.truth.hear(said)

    def sync(self) -> None:
        """The log writes how far mailboxes are delivered."""
        tables = self.storage.messages._tables
        self._cursors = {account_id: table.cursor for account_id, table in tables.accounts.items()}

    async def end(self) -> None:
        """The end of the example, whatever state it is in."""
        self._death.set()
        if self._life is not None:
            with suppress(AssertionError):
                await self._life

    # The devices.

    def connected(self) -> list[Device]:
        return [device for device in self.devices.values() if device.is_connected]

    async def look(self) -> None:
        for device in self.connected():
            assert device.wire is not None
            device.read(await settle(self.edge, device.wire))

    async def new_session(self, name: str, *, is_hasty: bool = False) -> None:
        """A device signs in; whatever session it had is over."""
        self.truth.ended(name)
        self.truth.began(name)
        device = self.devices[name]
        if device.wants_room:
            self.truth.entered(name)
        await device.sign_in(self.edge, is_hasty=is_hasty)

    async def come_back(self, name: str) -> None:
        """A device that is away comes back, by resuming if it can."""
        place, device = self.truth.places[name], self.devices[name]
        if not device.sm_id:
            await self.new_session(name)
            return
        is_expected = place.is_bound
        if not is_expected:
            self.truth.began(name)
            if device.wants_room:
                self.truth.entered(name)
        is_resumed = await device.come_back(self.edge)
        assert is_resumed is is_expected, f"{name} was resumed: {is_resumed}"
        place.cut_at = None
        self.counts["resumed" if is_resumed else "came too late"] += 1

    async def cut(self, name: str, read: float) -> None:
        await self.devices[name].cut(self.edge, read)
        self.truth.places[name].cut_at = self.edge.clock.monotonic()

    async def leave(self, name: str) -> None:
        await self.devices[name].leave(self.edge)
        self.truth.ended(name)

    async def wait(self, seconds: float) -> None:
        """Time passes; sessions that nobody came back to are over."""
        self.edge.tick(seconds)
        for name, place in self.truth.places.items():
            if place.cut_at is not None and place.cut_at + RESUME_S <= self.edge.clock.monotonic():
                self.truth.ended(name)
                self.counts["expired"] += 1
        await settle(self.edge)

    async def enter(self, name: str) -> None:
        self.truth.entered(name)
        await self.devices[name].enter(self.edge)

    async def exit(self, name: str) -> None:
        await self.devices[name].exit(self.edge)
        self.truth.left(name)

    async def rest(self, name: str) -> None:
        """A device says that it is not available, and so leaves the room too."""
        device, place = self.devices[name], self.truth.places[name]
        device.wants_room = False
        await device.say(self.edge, "<presence type='unavailable'/>")
        device.outside()
        place.is_available = False
        self.truth.left(name)
        self.truth.excuse(name)

    async def rouse(self, name: str) -> None:
        self.truth.places[name].is_available = True
        # What came while nobody took mail, those who are not available had as copies.
        self.truth.excuse(name)
        await self.devices[name].say(self.edge, "<presence/>")

    def occupants(self) -> set[str]:
        """The devices that the server has in the room."""
        live = self.edge.host.memory(Rooms)._live.get(ROOM)
        sessions: Any = live.room.sessions if live is not None else ()
        return {str(session).replace("@example.org", "") for session in sessions}


async def _never(*_: object) -> Any:
    await asyncio.Future()
