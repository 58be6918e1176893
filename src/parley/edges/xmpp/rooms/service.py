"""The service `rooms`: finds the room that a stanza is for, makes it, and lets it go when nobody needs it."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.base.throttle import TokenBucket
from parley.domain.errors import StorageUnavailable
from parley.domain.rooms.config import RoomConfig, RoomLimits
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.room import Room, RoomState
from parley.domain.rooms.standing import Affiliation, Standing
from parley.edges.xmpp.rooms.destroying import destroyed_presence
from parley.edges.xmpp.rooms.entering import receive_presence
from parley.edges.xmpp.rooms.live import LiveRoom
from parley.edges.xmpp.rooms.messages import receive_message, reflect_late
from parley.edges.xmpp.rooms.passing import Passing
from parley.edges.xmpp.rooms.refusals import refuse_presence, refused_by
from parley.edges.xmpp.rooms.requests import receive_iq
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin

log = logs.get(__name__)

_IDLE_KEPT: Final = 200
"""Rooms without occupants that stay in memory, those used last."""
_SECRET_BYTES: Final = 32
_BUCKETS_KEPT: Final = 20_000


class Rooms:
    """All rooms of all domains, and the receiver of what is sent to them."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.secret = b""
        self.passing = Passing(host)
        self._live: dict[str, LiveRoom] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()
        self._doomed: set[str] = set()
        """Rooms that are gone and whose rows are not yet."""
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._of_session: dict[str, dict[LiveRoom, Origin | None]] = {}
        """By full address, the rooms it is in, and who spoke there last: None for what was before a restart."""

    # The receiver.

    async def message(self, stanza: Inbound) -> None:
        """A message to a room or an occupant."""
        self._check_room_address(stanza.to)
        try:
            await receive_message(self, stanza)
        except (RoomRefused, StanzaError) as error:
            raise refused_by(stanza.to, error) from error

    async def presence(self, stanza: Inbound) -> None:
        """Presence to a room: entering, changing, leaving."""
        self._check_room_address(stanza.to)
        try:
            await receive_presence(self, stanza)
        except (RoomRefused, StanzaError) as error:
            refuse_presence(stanza, error)

    async def iq(self, stanza: Inbound) -> bytes | None:
        """A request to a room or an occupant."""
        self._check_room_address(stanza.to)
        try:
            return await receive_iq(self, stanza)
        except (RoomRefused, StanzaError) as error:
            raise refused_by(stanza.to, error) from error

    @staticmethod
    def _check_room_address(to: JID) -> None:
        if not to.local:
            raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)

    # Rooms.

    async def find(self, address: JID) -> LiveRoom | None:
        """The room of a bare address."""
        name = str(address.bare)
        live = self._live.get(name)
        if live is not None:
            return live
        async with self._lock(name):
            return await self._find(name)

    async def get(self, address: JID) -> LiveRoom:
        """As `find`; raises RoomRefused(NO_SUCH_ROOM)."""
        live = await self.find(address)
        if live is None:
            raise RoomRefused(Why.NO_SUCH_ROOM)
        return live

    async def _find(self, name: str) -> LiveRoom | None:
        """With the room's lock held."""
        if name in self._doomed:
            await self._delete(name)
        live = self._live.get(name)
        if live is None:
            state = await self.host.stores.rooms.find(name)
            if state is not None:
                live = await self._open(state)
        return live

    async def _open(self, state: RoomState) -> LiveRoom:
        stores, settings = self.host.stores, self.host.settings.rooms
        if not self.secret:
            self.secret = await stores.rooms.secret(secrets.token_bytes(_SECRET_BYTES))
        history = await stores.rooms.history(state.address, settings.max_history)
        live = self._live[state.address] = LiveRoom(self, Room(state, self.limits()), history)
        self.settle(live)
        return live

    async def create(self, address: JID, creator: JID) -> tuple[LiveRoom, bool]:
        """Make a room, or find the one that somebody else made at the same time: the flag says whether it is new.

        Nobody but its owner enters a new one until the owner has said what room it is to be (XEP-0045 §10.1.1).

        Args:
            address: the room's.
            creator: the full address of its first owner.

        Raises:
            RoomRefused: that person may make no room, or no more rooms.
        """
        name = str(address.bare)
        async with self._lock(name):
            found = await self._find(name)
            if found is not None:
                return found, False
            await self._check_creation(creator)
            owner = str(creator.bare)
            standings = {owner: Standing(Affiliation.OWNER)}
            now = self.host.clock.now_us()
            state = RoomState(name, owner, now, True, self._default_config(), standings)
            await self.host.stores.rooms.save(state)
            live = await self._open(state)
            self._idle.pop(name, None)
            log.info("room created", pii={"room": name, "owner": owner})
            return live, True

    async def _check_creation(self, creator: JID) -> None:
        settings, store = self.host.settings, self.host.stores.rooms
        is_ours = self.host.router.is_account(creator)
        if settings.rooms.creation == "local" and not is_ours:
            raise RoomRefused(Why.CREATION_RESTRICTED, "rooms are made by people of this server")
        if settings.rooms.creation == "admins" and str(creator.bare) not in settings.admins:
            raise RoomRefused(Why.CREATION_RESTRICTED, "rooms are made by administrators")
        # Whatever becomes of them: rooms that go again count against no number, and each is written and deleted.
        self.check_rate("", str(creator.bare), 1)
        if await store.count_created_by(str(creator.bare)) >= settings.rooms.max_rooms_per_account:
            raise RoomRefused(Why.TOO_MANY_ROOMS, "you have made too many rooms")
        if await store.count() >= settings.rooms.max_rooms:
            raise RoomRefused(Why.TOO_MANY_ROOMS, "there are too many rooms")

    def _default_config(self) -> RoomConfig:
        settings = self.host.settings.rooms
        return RoomConfig(
            is_persistent=settings.persistent,
            is_public=settings.public,
            history_length=min(settings.history, settings.max_history),
        )

    def limits(self) -> RoomLimits:
        """What the settings allow every room."""
        settings = self.host.settings.rooms
        return RoomLimits(
            max_occupants=settings.max_occupants,
            max_standings=settings.max_affiliations,
            max_history=settings.max_history,
            max_nick_bytes=settings.max_nick_bytes,
            max_text_bytes=settings.max_subject_bytes,
        )

    def settle(self, live: LiveRoom) -> None:
        """Somebody went, or the room was opened: one that is empty goes, or waits in memory for a while."""
        room = live.room
        name = room.address
        if room.is_destroyed or not room.is_empty:
            self._idle.pop(name, None)
        elif live.is_entered and (room.is_locked or not room.config.is_persistent):
            # XEP-0045 §7.14: when the last occupant leaves a room that is not persistent, it is destroyed; §10.1.3: nor
            # is one left behind whose owner went before it was configured, however that happened.
            self.dissolve(live)
        else:
            self._idle[name] = None
            self._idle.move_to_end(name)
            while len(self._idle) > _IDLE_KEPT:
                oldest, _ = self._idle.popitem(last=False)
                self._live.pop(oldest, None)

    def dissolve(self, live: LiveRoom) -> None:
        """The room is gone from now on; its rows follow."""
        live.room.is_destroyed = True
        name = live.room.address
        self._live.pop(name, None)
        self._idle.pop(name, None)
        self._doomed.add(name)
        live.keep(self._bury, name)

    async def destroy(self, live: LiveRoom) -> None:
        """As `dissolve`, and returns when it is committed; raises StorageUnavailable, and then the room stays."""
        name = live.room.address
        async with self._lock(name):
            await self.host.stores.rooms.delete(name)
            live.room.is_destroyed = True
            self._live.pop(name, None)
            self._idle.pop(name, None)

    async def _bury(self, name: str) -> None:
        async with self._lock(name):
            await self._delete(name)

    async def _delete(self, name: str) -> None:
        if name in self._doomed:
            await self.host.stores.rooms.delete(name)
            self._doomed.discard(name)

    @asynccontextmanager
    async def _lock(self, name: str) -> AsyncGenerator[None]:
        """One after the other for each room, where rooms come and go."""
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(name)
            if users > 1:
                self._locks[name] = lock, users - 1

    def occupants(self, room: str) -> tuple[str, ...]:
        """The nicknames of who is inside a room."""
        live = self._live.get(room)
        return () if live is None else tuple(live.room.occupants)

    async def end(self, room: str, reason: str) -> bool:
        """An operator ends a room; False if there is none. Raises StorageUnavailable."""
        live = await self.find(JID.parse(room))
        if live is None:
            return False
        await self.destroy(live)
        destroyed_presence(live, "", reason, "")
        return True

    def check_rate(self, room: str, address: str, count: int) -> None:
        """A bare address says something to a room, `count` times as it were; raises RoomRefused when too often."""
        place, settings = (room, address), self.host.settings.rooms
        bucket = self._buckets.get(place)
        if bucket is None:
            clock = self.host.clock.monotonic
            bucket = self._buckets[place] = TokenBucket(settings.messages_per_s, settings.burst_messages, clock)
            while len(self._buckets) > _BUCKETS_KEPT:
                self._buckets.popitem(last=False)
        # Who has been quiet longest is forgotten first: their bucket has filled again meanwhile.
        self._buckets.move_to_end(place)
        if bucket.take(count):
            bucket.take(-count)
            raise RoomRefused(Why.TOO_FAST, "not so fast")

    # Who is where.

    def came(self, session: str, live: LiveRoom, origin: Origin | None) -> None:
        """A client is in a room from now on."""
        self._of_session.setdefault(session, {})[live] = origin
        self._idle.pop(live.room.address, None)

    def went(self, session: str, live: LiveRoom) -> None:
        """A client is in a room no longer."""
        rooms = self._of_session.get(session)
        if rooms is not None:
            rooms.pop(live, None)
            if not rooms:
                del self._of_session[session]

    def rooms_of(self, session: str) -> frozenset[LiveRoom]:
        """The rooms that a full address is in."""
        return frozenset(self._of_session.get(session, {}))

    def origin_of(self, session: str, live: LiveRoom) -> Origin | None:
        """Where the one who has this full address in a room speaks from, as far as that is known."""
        return self._of_session.get(session, {}).get(live)

    def ended(self, session: Session) -> None:
        """A client of ours is gone for good: no ghost stays."""
        for live, origin in tuple(self._of_session.get(str(session.jid), {}).items()):
            # One that has bound the same resource since, and entered, is not meant by that.
            if origin is None or origin is session:
                live.leave(str(session.jid))

    async def restore(self, is_living: Callable[[JID], bool] | None = None) -> int:
        """After a start: put those back inside who were, so that they notice nothing of the restart.

        Args:
            is_living: whether the client of a full address is still there to hear of the room. When not given: those
                whose session was restored, and people of other servers, who are found out about with the next stanza.

        Returns:
            How many were put back.
        """
        count = 0
        for stored in await self.host.stores.rooms.occupants():
            jid = JID.parse(stored.session)
            live = await self.find(JID.parse(stored.room))
            if live is None:
                continue
            live.is_entered = True
            living = (is_living or self._is_living)(jid)
            if living and live.room.restore(stored.session, str(jid.bare), stored.nick, stored.role, stored.presence):
                self.came(stored.session, live, self.host.router.find(jid))
                count += 1
            else:
                live.mourned.append((stored.session, stored.nick, stored.role))
        for live in list(self._live.values()):
            live.bury()
        for message_id, (room, session, key) in self.host.journal.unsaid().items():
            found = await self.find(JID.parse(room))
            if found is not None:
                await reflect_late(found, message_id, session, key)
        return count

    def _is_living(self, jid: JID) -> bool:
        router = self.host.router
        return router.find(jid) is not None or not router.is_local(jid)

    async def forget_person(self, address: str) -> None:
        """An account goes: who gets its address later is somebody else, with no place in any room."""
        known = frozenset(await self.host.stores.rooms.forget_person(address))
        for name, live in tuple(self._live.items()):
            if name in known or address in live.room.voices.known:
                live.forget_standing(address)


def rooms_of(host: Host) -> Rooms:
    """The rooms of a host."""
    return host.memory(Rooms)


async def restore_rooms(host: Host) -> None:
    """See `Rooms.restore`; a storage that cannot be read keeps nobody from starting."""
    try:
        count = await rooms_of(host).restore()
    except StorageUnavailable as error:
        log.error("who was in which room cannot be read", code=error.code)
        return
    if count:
        log.info("occupants of rooms are back", count=count)
