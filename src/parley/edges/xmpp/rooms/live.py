"""One room that is in use: its state, what was said last, and the way to everybody inside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.rooms.config import ALL_ROLES
from parley.domain.rooms.events import Absent, Changed, Left, Occupant, Removal, Removed
from parley.domain.rooms.ports import RoomMessage, StoredOccupant
from parley.domain.rooms.room import Room, StandingChange
from parley.domain.rooms.standing import Affiliation, Role
from parley.edges.xmpp.rooms.names import CODES, SELF
from parley.edges.xmpp.rooms.remembered import Remembered
from parley.edges.xmpp.rooms.rendering import (
    EMPTY_PRESENCE,
    Item,
    addressed,
    in_room,
    occupant_id_element,
    presence,
    room_message,
    user,
)
from parley.edges.xmpp.rooms.waking import Waking
from parley.protocols.xmpp.errors import StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.rooms.service import Rooms

log = logs.get(__name__)


class LiveRoom:
    """See the module. Made by `Rooms`.

    Args:
        rooms: the service.
        room: the state.
        history: what was said last, oldest first.
    """

    def __init__(self, rooms: Rooms, room: Room, history: Iterable[RoomMessage]) -> None:
        self.rooms = rooms
        self.host: Host = rooms.host
        self.room = room
        self.jid = JID.parse(room.address)
        self.history = Remembered(history, self.host.settings.rooms.max_history)
        self.is_entered = False
        """Whether anybody has been inside since it was opened, or before a restart."""
        self.mourned: list[tuple[str, str, Role]] = []
        """Who was inside before a restart and is not any more: full address, nickname and role."""
        self.expected_again: dict[str, str] = {}
        """By full address, what a client will say again although the archive has it (`reflect_late`)."""
        self.waking = Waking(self)
        self._present: dict[str, tuple[object, Presences]] = {}

    @property
    def keeps_archive(self) -> bool:
        """Whether messages are kept: the server and the owner both say so."""
        return self.room.config.is_archived and self.host.settings.archive.enabled

    # Sending.

    def send(self, stanza: bytes, session: str) -> None:
        """Send a stanza, complete but for `to`, to a full address."""
        to = JID.parse(session)
        local = self.host.router.find(to)
        if local is not None:
            local.send(addressed(stanza, session))
        elif not self.host.router.is_local(to):
            try:
                self.host.abroad(to.domain).send(addressed(stanza, session), self.jid, to)
            except StanzaError:
                self.unreachable(session)
        elif not self.host.router.is_account(to):
            self.host.post.send(addressed(stanza, session), to)

    def send_to(self, stanza: bytes, occupant: Occupant) -> None:
        """Send to all clients of an occupant."""
        for session in tuple(occupant.sessions):
            self.send(stanza, session)

    def broadcast(self, stanza: bytes) -> None:
        """Send to everybody inside."""
        for session in tuple(self.room.sessions):
            self.send(stanza, session)

    def unreachable(self, session: str) -> None:
        """A stanza could not be delivered there: the client is put out, later, when nobody counts those inside."""
        if self.room.inside(session) is not None:
            self.host.supervisor.spawn("room", self._put_out(session))

    async def _put_out(self, session: str) -> None:
        self.leave(session, Removal.UNREACHABLE)

    def check_rate(self, session: str, count: int = 1) -> None:
        """Somebody (full or bare address) says something, `count` times as it were; raises RoomRefused when too often.

        It is remembered of people who are not inside, too: coming and going costs the others as much as talk.
        """
        self.rooms.check_rate(self.room.address, session.partition("/")[0], count)

    # What is kept.

    def keep(self, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Write something that nobody waits for; what is written for a room is written in the order of the calls."""
        self.host.supervisor.spawn("room", self._keep(work, args))

    async def _keep(self, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        try:
            await work(*args)
        except StorageUnavailable as error:
            log.warning("a room's state is not stored", code=error.code, pii={"room": self.room.address})

    def keep_occupant(self, occupant: Occupant) -> None:
        """Remember an occupant's clients for after a restart."""
        for session, said in occupant.sessions.items():
            stored = StoredOccupant(self.room.address, session, occupant.nick, occupant.role, said)
            self.keep(self.host.stores.rooms.put_occupant, stored)

    def keep_voices(self) -> None:
        """Remember who was given a voice, or lost it."""
        changed = self.room.voices.unsaved()
        if changed:
            self.keep(self.host.stores.rooms.set_voices, self.room.address, changed)

    # Presence of occupants.

    def occupant_id(self, address: str) -> bytes:
        """The `<occupant-id/>` of a bare address."""
        return occupant_id_element(self.rooms.secret, self.room.address, address)

    def show(
        self,
        occupant: Occupant,
        item: Item,
        *,
        base: bytes,
        nick: str = "",
        codes: tuple[int, ...] = (),
        own_codes: tuple[int, ...] = (),
        destroy: bytes = b"",
        was: Role | None = None,
    ) -> Presences:
        """An occupant's presence in the variants that different people see; nothing is sent yet.

        Args:
            occupant: whose.
            item: what is said of them; with the role NONE they go.
            base: what they say themselves.
            nick: their nickname, if it is another than that they have now.
            codes: for everybody.
            own_codes: for themselves beside 110.
            destroy: another child for the `<x/>`.
            was: the role that decides whether others are told; the item's when not given.
        """
        return Presences(self, occupant, item, base, nick or occupant.nick, codes, own_codes, destroy, was or item.role)

    def shown(self, occupant: Occupant, *, by: str = "", reason: str = "", **more: Any) -> Presences:
        """An occupant's present presence."""
        item = Item(self.room.affiliation(occupant.address), occupant.role, "", by, reason)
        return self.show(occupant, item, base=occupant.presence, **more)

    def present(self, occupant: Occupant) -> Presences:
        """As `shown`, remembered while nothing of it changes: who enters is told of everybody inside."""
        standing = self.room.affiliation(occupant.address)
        said = (occupant, occupant.presence, occupant.session, occupant.role, standing)
        known = self._present.get(occupant.nick)
        if known is None or known[0] != said:
            if len(self._present) > 2 * len(self.room.occupants):
                # Most of it is of people who are not here any more.
                self._present.clear()
            known = self._present[occupant.nick] = said, self.shown(occupant)
        return known[1]

    def tell_changed(self, event: Changed) -> None:
        """An occupant has another role or affiliation."""
        shown = self.shown(event.occupant, by=event.by, reason=event.reason)
        broadcast = self.room.config.presence_of
        if event.was in broadcast and event.occupant.role not in broadcast:
            # Those who saw the occupant and do not any more are told that it goes.
            item = Item(self.room.affiliation(event.occupant.address), Role.NONE)
            gone = self.show(event.occupant, item, base=b"<presence/>", was=event.was)
            gone.to_others(only_below=Role.MODERATOR)
        shown.to_others()
        shown.to_self()
        if event.occupant.role is Role.MODERATOR and event.was is not Role.MODERATOR:
            self._introduce_all(event.occupant)
        elif event.was is Role.MODERATOR and event.occupant.role is not Role.MODERATOR:
            self._hide_hidden(event.occupant)
        self.keep_occupant(event.occupant)

    def _introduce_all(self, moderator: Occupant) -> None:
        """§8: moderators see everybody, with real addresses, by presence: a new one is told of those inside anew."""
        config = self.room.config
        if not config.is_anonymous and config.presence_of == ALL_ROLES:
            return  # everybody sees all of that already
        for other in tuple(self.room.occupants.values()):
            if other is not moderator:
                for session in tuple(moderator.sessions):
                    self.present(other).to_newcomer(session, moderator.role)

    def hidden(self, occupant: Occupant) -> Presences:
        """The presence of somebody who stays and is seen by fewer from now on: for those who saw them, they go."""
        item = Item(self.room.affiliation(occupant.address), Role.NONE)
        return self.show(occupant, item, base=EMPTY_PRESENCE)

    def _hide_hidden(self, former: Occupant) -> None:
        """Who moderates no longer sees no more than others do, and is to know it."""
        for other in tuple(self.room.occupants.values()):
            if other is not former and other.role not in self.room.config.presence_of:
                for session in tuple(former.sessions):
                    self.hidden(other).to_newcomer(session, former.role)

    def removed_presence(self, event: Removed) -> Presences:
        """The presence of an occupant who was put out."""
        affiliation = self.room.affiliation(event.occupant.address)
        item = Item(affiliation, Role.NONE, "", event.by, event.reason)
        return self.show(event.occupant, item, base=b"<presence/>", codes=CODES[event.removal], was=event.was)

    def forget(self, sessions: Iterable[str]) -> None:
        """These clients are not inside any more."""
        gone = tuple(sessions)
        for session in gone:
            self.rooms.went(session, self)
        self.keep(self.host.stores.rooms.drop_occupants, self.room.address, gone)

    def tell_absent(self, event: Absent) -> None:
        """The affiliation of somebody who is not inside changed: those who see addresses may know (§9)."""
        attrs = {"affiliation": event.after.value, "jid": event.address}
        reason = event.reason
        item = Item(event.after, Role.NONE, "", event.by, reason).to_bytes(attrs["jid"])
        stanza = room_message(self.room.address, user(item), kind=None, message_id=self.host.new_id())
        for occupant in tuple(self.room.occupants.values()):
            if self.room.shows_addresses_to(occupant.role):
                self.send_to(stanza, occupant)

    # Leaving.

    def leave(self, session: str, removal: Removal = Removal.LEFT, farewell: bytes = b"<presence/>") -> None:
        """A client goes, or is gone; `farewell` is the presence it said it with, from `stored_presence`."""
        left = self.room.leave(session, removal)
        if left is None:
            return
        self.forget([session])
        self._tell_left(left, farewell)
        self.rooms.settle(self)

    def _tell_left(self, left: Left, farewell: bytes) -> None:
        occupant = left.occupant
        was, affiliation = occupant.role, self.room.affiliation(occupant.address)
        codes = CODES[left.removal]
        gone = self.show(occupant, Item(affiliation, Role.NONE), base=farewell, codes=codes, was=was)
        gone.to_session(left.session, address=left.session)
        if left.is_gone:
            gone.to_others(address=left.session)
        elif left.was_shown:
            # Another client of the user stands for the occupant from now on.
            self.shown(occupant).to_others()

    def tell(self, events: Iterable[Changed | Removed | Absent]) -> None:
        """Tell everybody whom it concerns what happened: first those who are put out."""
        happened = tuple(events)
        self.tell_removed(happened)
        self.tell_rest(happened)

    def tell_removed(self, events: Iterable[Changed | Removed | Absent]) -> None:
        """Tell those who are put out."""
        for event in events:
            if isinstance(event, Removed):
                self.removed_presence(event).to_self()

    def tell_rest(self, events: Iterable[Changed | Removed | Absent]) -> None:
        """Tell those who stay."""
        for event in events:
            if isinstance(event, Removed):
                self.removed_presence(event).to_others()
                self.forget(event.occupant.sessions)
            elif isinstance(event, Changed):
                self.tell_changed(event)
            else:
                self.tell_absent(event)
        self.keep_voices()
        self.rooms.settle(self)

    # After a restart, and when an account goes.

    def bury(self) -> None:
        """Tell those inside of occupants who did not come back after a restart."""
        mourned, self.mourned = self.mourned, []
        for session, nick, role in mourned:
            if nick not in self.room.occupants:
                self.room.restore(session, session.partition("/")[0], nick, role, b"<presence/>")
                self.leave(session)
        self.forget([session for session, _, _ in mourned])
        self.rooms.settle(self)

    def forget_standing(self, address: str) -> None:
        """An account is gone, and with it what it was to the room."""
        self.room.voices.set(address, None)
        self.tell(self.room.change_standing(StandingChange(address, Affiliation.NONE)))

    def say(self, *codes: int) -> None:
        """Tell everybody inside that something of the room changed."""
        self.broadcast(room_message(self.room.address, user(codes=codes), message_id=self.host.new_id()))


class Presences:
    """One presence of an occupant, made for each kind of recipient when first needed."""

    def __init__(  # noqa: PLR0917 - made by `LiveRoom.show` alone, which names them
        self,
        live: LiveRoom,
        occupant: Occupant,
        item: Item,
        base: bytes,
        nick: str,
        codes: tuple[int, ...],
        own_codes: tuple[int, ...],
        destroy: bytes,
        was: Role,
    ) -> None:
        self._live = live
        self._occupant = occupant
        self._item = item
        self._base = base
        self._from = in_room(live.jid, nick)
        self._codes = codes
        self._own_codes = own_codes
        self._destroy = destroy
        self._was = was
        self._made: dict[tuple[bool, str], bytes] = {}

    def _stanza(self, address: str, *, is_own: bool) -> bytes:
        key = is_own, address
        if key not in self._made:
            codes = (SELF, *self._codes, *self._own_codes) if is_own else self._codes
            said = user(self._item.to_bytes(address), self._destroy, codes=codes)
            identity = self._live.occupant_id(self._occupant.address)
            is_gone = self._item.role is Role.NONE or bool(self._item.nick)
            self._made[key] = presence(self._base, self._from, said, identity, is_unavailable=is_gone)
        return self._made[key]

    def _address(self, given: str) -> str:
        return given or self._occupant.session

    def to_others(self, *, address: str = "", only_below: Role | None = None) -> None:
        """To everybody inside but the occupant, as far as they may know (`muc#roomconfig_presencebroadcast`).

        Args:
            address: the full address that is shown to those who see it; that which stands for the occupant if empty.
            only_below: only to occupants of a lower role.
        """
        live, room = self._live, self._live.room
        is_for_all = self._was in room.config.presence_of
        for other in tuple(room.occupants.values()):
            if other is self._occupant or not (is_for_all or other.role is Role.MODERATOR):
                continue
            if only_below is not None and other.role.rank >= only_below.rank:
                continue
            shown = self._address(address) if room.shows_addresses_to(other.role) else ""
            live.send_to(self._stanza(shown, is_own=False), other)

    def to_self(self) -> None:
        """To all clients of the occupant."""
        for session in tuple(self._occupant.sessions):
            self.to_session(session)

    def to_session(self, session: str, *, address: str = "") -> None:
        """To one client of the occupant."""
        sees = self._live.room.shows_addresses_to(self._was)
        self._live.send(self._stanza(self._address(address) if sees else "", is_own=True), session)

    def to_newcomer(self, session: str, role: Role) -> None:
        """To a client of somebody else."""
        sees = self._live.room.shows_addresses_to(role)
        self._live.send(self._stanza(self._address("") if sees else "", is_own=False), session)
