"""One room: its options, who is what to it, who is inside.

Each request comes in two steps: `check_…` raises `RoomRefused` and changes nothing, so that what is to be stored can be
stored; then the method that does it returns what happened. Addresses are bare (`name@domain`), sessions are full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from parley.domain.rooms.config import RoomConfig, RoomLimits, check_nick
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Absent, Changed, Entered, Left, Occupant, Removal, Removed, Renamed
from parley.domain.rooms.privileges import check_affiliation_change, check_role_change
from parley.domain.rooms.standing import Affiliation, Role, Standing, initial_role, role_after
from parley.domain.rooms.voices import Voices

_NOBODY = Standing(Affiliation.NONE)
_SPARE = 20
"""Owners and admins that still get into a room that is full."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the room talks about: `content` is opaque, `text` for people, `nick` who set it, `at` in microseconds."""

    content: bytes = b""
    text: str = ""
    nick: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class StandingChange:
    """What somebody becomes: `address` is bare or a domain; `nick` is reserved, "" for none, None for what is now."""

    address: str
    affiliation: Affiliation
    nick: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room as it is stored, without its occupants; see `Room`."""

    address: str
    creator: str
    created_at: int
    is_locked: bool = False
    config: RoomConfig = field(default_factory=RoomConfig)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    subject: Subject = field(default_factory=Subject)
    avatar: bytes = b""
    voices: Mapping[str, Role] = field(default_factory=dict)


class Room:
    """The state machine of one room.

    Args:
        state: what is stored of it.
        limits: what the server allows.
    """

    def __init__(self, state: RoomState, limits: RoomLimits) -> None:
        self.address = state.address
        self.creator = state.creator
        self.created_at = state.created_at
        self.is_locked = state.is_locked
        """Only its creator is inside, who has not said yet what room it is to be (XEP-0045 §10.1.1)."""
        self.config = state.config
        self.standings: dict[str, Standing] = dict(state.standings)
        self.subject = state.subject
        self.avatar = state.avatar
        """What its vCard holds; opaque, empty for none."""
        self.is_destroyed = False
        self.occupants: dict[str, Occupant] = {}
        self._limits = limits
        self._by_session: dict[str, Occupant] = {}
        self.voices = Voices(state.voices, limits.max_standings)
        self._reserved = {standing.nick: address for address, standing in self.standings.items() if standing.nick}

    def state(self) -> RoomState:
        """As it is stored."""
        return RoomState(
            self.address,
            self.creator,
            self.created_at,
            self.is_locked,
            self.config,
            dict(self.standings),
            self.subject,
            self.avatar,
            self.voices.known,
        )

    # Who is who.

    def standing(self, address: str) -> Standing:
        """What a bare address is to the room; where nothing is said of it, what its domain is (§9.2)."""
        found = self.standings.get(address)
        if found is None and "@" in address:
            found = self.standings.get(address.partition("@")[2])
        return found or _NOBODY

    def affiliation(self, address: str) -> Affiliation:
        """The affiliation of a bare address."""
        return self.standing(address).affiliation

    def inside(self, session: str) -> Occupant | None:
        """The occupant that a full address belongs to."""
        return self._by_session.get(session)

    def role(self, session: str) -> Role:
        """The role of a full address; NONE outside."""
        occupant = self._by_session.get(session)
        return Role.NONE if occupant is None else occupant.role

    def address_of(self, nick: str) -> str | None:
        """The bare address of who has a nickname: who is inside under it, or for whom it is reserved."""
        occupant = self.occupants.get(nick)
        return self._reserved.get(nick) if occupant is None else occupant.address

    def nick_of(self, session: str) -> str:
        """The nickname of a full address, empty outside."""
        occupant = self._by_session.get(session)
        return "" if occupant is None else occupant.nick

    def acting_nick(self, session: str) -> str:
        """The nickname that somebody acts under: of the client itself, or of another one of the same person (§8)."""
        address = session.partition("/")[0]
        return self.nick_of(session) or next((o.nick for o in self.occupants.values() if o.address == address), "")

    def role_of_address(self, address: str) -> Role:
        """The highest role that the clients of a bare address have inside; NONE when there are none.

        §8: what a moderator may do is asked for from any client of theirs.
        """
        roles = [one.role for one in self.occupants.values() if one.address == address]
        return max(roles, key=lambda role: role.rank, default=Role.NONE)

    def with_affiliation(self, affiliation: Affiliation) -> Iterator[tuple[str, Standing]]:
        """Addresses that have an affiliation."""
        return ((address, one) for address, one in self.standings.items() if one.affiliation is affiliation)

    @property
    def sessions(self) -> Iterable[str]:
        """The full addresses inside."""
        return self._by_session.keys()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside."""
        return not self.occupants

    def shows_addresses_to(self, role: Role) -> bool:
        """Whether somebody with this role sees real addresses (§7.2.5, §7.2.6)."""
        return not self.config.is_anonymous or role is Role.MODERATOR

    # Coming and going.

    def check_enter(self, session: str, address: str, nick: str, password: str) -> None:
        """Whether a client may enter; raises RoomRefused (§7.2.6 to §7.2.13)."""
        standing = self.standing(address)
        if self.is_locked and standing.affiliation is not Affiliation.OWNER:
            raise RoomRefused(Why.ROOM_LOCKED)
        if standing.affiliation is Affiliation.OUTCAST:
            raise RoomRefused(Why.BANNED)
        if self.config.is_members_only and standing.affiliation is Affiliation.NONE:
            raise RoomRefused(Why.NO_MEMBER)
        is_owner = standing.affiliation is Affiliation.OWNER
        if self.config.password and password != self.config.password and not (is_owner and self.is_locked):
            raise RoomRefused(Why.PASSWORD_WRONG)
        self._check_nick(address, nick)
        if nick not in self.occupants:
            most = self.config.max_occupants or self._limits.max_occupants
            # §7.2.10: a full room MUST allow entry by an admin or owner, up to a reasonable number.
            most += _SPARE if standing.affiliation.rank >= Affiliation.ADMIN.rank else 0
            if len(self.occupants) >= most:
                raise RoomRefused(Why.FULL)

    def check_looks(self, nick: str) -> None:
        """Whether a nickname can be seen and is not too long; raises RoomRefused (§17.1)."""
        check_nick(nick, self._limits)

    def _check_nick(self, address: str, nick: str) -> None:
        self.check_looks(nick)
        holder = self.occupants.get(nick)
        # §7.2.9: for clients of one user, one nickname may stand for several.
        if holder is not None and holder.address != address:
            raise RoomRefused(Why.NICK_TAKEN)
        if self._reserved.get(nick, address) != address:
            raise RoomRefused(Why.NICK_TAKEN, "the nickname is reserved")

    def nick_for(self, address: str, wished: str) -> str:
        """The nickname that somebody enters under: where nicknames are locked down, the reserved one (§7.2.2)."""
        reserved = self.standings.get(address, _NOBODY).nick
        return reserved if reserved and self.config.is_nick_reserved_only else wished

    def enter(self, session: str, address: str, nick: str, presence: bytes) -> Entered:
        """A client that may is inside from now on."""
        occupant = self.occupants.get(nick)
        is_joined = occupant is not None
        if occupant is None:
            affiliation, is_moderated = self.affiliation(address), self.config.is_moderated
            role = initial_role(affiliation, is_moderated=is_moderated)
            if is_moderated and affiliation.rank < Affiliation.ADMIN.rank:
                # §5.1: who has a voice is what moderation is about, so it lasts.
                role = self.voices.known.get(address, role)
            occupant = self.occupants[nick] = Occupant(nick, address, role)
        self._say(occupant, session, presence)
        self._by_session[session] = occupant
        return Entered(occupant, session, is_joined)

    def restore(self, session: str, address: str, nick: str, role: Role, presence: bytes) -> bool:
        """Put a client back that was inside before a restart; False when its place is not free."""
        occupant = self.occupants.get(nick)
        if occupant is None:
            occupant = self.occupants[nick] = Occupant(nick, address, role)
        elif occupant.address != address:
            return False
        self._say(occupant, session, presence)
        self._by_session[session] = occupant
        return True

    def update(self, session: str, presence: bytes) -> Occupant:
        """A client inside has another presence; it is the occupant's from now on."""
        occupant = self._by_session[session]
        self._say(occupant, session, presence)
        return occupant

    @staticmethod
    def _say(occupant: Occupant, session: str, presence: bytes) -> None:
        occupant.sessions.pop(session, None)
        occupant.sessions[session] = presence

    def leave(self, session: str, removal: Removal = Removal.LEFT) -> Left | None:
        """A client goes; None when it was not inside."""
        occupant = self._by_session.pop(session, None)
        if occupant is None:
            return None
        was_shown = occupant.session == session
        presence = occupant.sessions.pop(session)
        if not occupant.sessions:
            del self.occupants[occupant.nick]
        return Left(occupant, session, not occupant.sessions, presence, was_shown, removal)

    def check_rename(self, session: str, nick: str) -> None:
        """Whether an occupant may be called `nick`; raises RoomRefused (§7.6)."""
        occupant = self._by_session[session]
        if self.config.is_nick_reserved_only and self.standing(occupant.address).nick not in ("", nick):
            raise RoomRefused(Why.NICK_LOCKED, "nicknames are locked down here")
        if nick in self.occupants:
            raise RoomRefused(Why.NICK_TAKEN)
        self._check_nick(occupant.address, nick)

    def rename(self, session: str, nick: str, presence: bytes) -> Renamed:
        """An occupant that may has another nickname from now on, in all its clients."""
        occupant = self._by_session[session]
        before = occupant.nick
        del self.occupants[before]
        occupant.nick = nick
        self.occupants[nick] = occupant
        self._say(occupant, session, presence)
        return Renamed(occupant, before)

    def _put_out(self, occupant: Occupant, removal: Removal, by: str = "", reason: str = "") -> Removed:
        del self.occupants[occupant.nick]
        for session in occupant.sessions:
            del self._by_session[session]
        was, occupant.role = occupant.role, Role.NONE
        return Removed(occupant, removal, was, by, reason)

    # Roles.

    def check_role(self, address: str, nick: str, role: Role) -> None:
        """Whether a bare address may give the occupant of that name a role; raises RoomRefused."""
        actor_role = self.role_of_address(address)
        target = self.occupants.get(nick)
        if target is None:
            actor = max(self.affiliation(address).rank, 0)
            if actor < Affiliation.ADMIN.rank and actor_role is not Role.MODERATOR:
                raise RoomRefused(Why.NO_PRIVILEGE)
            raise RoomRefused(Why.NO_SUCH_OCCUPANT)
        if role is Role.NONE and target.address == address and target.role is Role.MODERATOR:
            return  # §8.2: who kicks themselves apologises by it
        affiliation = self.affiliation(address)
        check_role_change(actor_role, affiliation, target.role, self.affiliation(target.address), role)

    def change_role(self, nick: str, role: Role, by: str = "", reason: str = "") -> Changed | Removed | None:
        """Give an occupant a role, NONE to put them out; None when there is nobody of that name any more."""
        target = self.occupants.get(nick)
        if target is None:
            return None
        if role is Role.NONE:
            return self._put_out(target, Removal.KICKED, by, reason)
        was, target.role = target.role, role
        affiliation = self.affiliation(target.address)
        if self.config.is_moderated and affiliation.rank < Affiliation.ADMIN.rank:
            voice = Role.VISITOR if role is Role.VISITOR else Role.PARTICIPANT
            is_usual = voice is initial_role(affiliation, is_moderated=True)
            self.voices.set(target.address, None if is_usual else voice)
        return Changed(target, was, by, reason)

    # Affiliations.

    def check_admin(self, address: str) -> None:
        """Raises RoomRefused for who may change no affiliation (§9)."""
        if self.affiliation(address).rank < Affiliation.ADMIN.rank:
            raise RoomRefused(Why.NO_PRIVILEGE, "only admins and owners may do this")

    def check_standings(self, actor: str, changes: Iterable[StandingChange]) -> None:
        """Whether a bare address may make all these changes; raises RoomRefused."""
        affiliation = self.affiliation(actor)
        after = dict(self.standings)
        reserved = dict(self._reserved)
        for change in changes:
            before = self.affiliation(change.address)
            is_self = change.address == actor
            check_affiliation_change(affiliation, before, change.affiliation, is_self=is_self)
            if change.nick:
                self.check_looks(change.nick)
            _check_reserved(reserved, change)
            after[change.address] = Standing(change.affiliation)
        self._check_outcome(after)

    def _check_outcome(self, after: Mapping[str, Standing]) -> None:
        # §10.6: without owners there must not be a room, so the last one stays.
        if not any(one.affiliation is Affiliation.OWNER for one in after.values()):
            raise RoomRefused(Why.LAST_OWNER, "a room has an owner")
        count = sum(one.affiliation is not Affiliation.NONE for one in after.values())
        if count > max(self._limits.max_standings, len(self.standings)):
            raise RoomRefused(Why.TOO_MANY_STANDINGS, "too many people have an affiliation")

    def standing_after(self, change: StandingChange) -> Standing:
        """What is to be stored of an address with a change."""
        if change.affiliation in (Affiliation.NONE, Affiliation.OUTCAST):
            # §9.1: who is banned has no reserved nickname any more.
            return Standing(change.affiliation, "", change.reason)
        known = self.standings.get(change.address, _NOBODY).nick
        return Standing(change.affiliation, known if change.nick is None else change.nick, change.reason)

    def change_standing(self, change: StandingChange, by: str = "") -> list[Changed | Removed | Absent]:
        """Make an address something else to the room, and tell whom of those inside it concerns."""
        address = change.address
        affected = [
            (one, self.affiliation(one.address)) for one in self.occupants.values() if _concerns(address, one.address)
        ]
        before = self.affiliation(address)
        self._set_standing(address, self.standing_after(change))
        if before is not change.affiliation:
            self.voices.set(address, None)
        events: list[Changed | Removed | Absent] = []
        for occupant, was in affected:
            event = self._moved(occupant, was, by, change.reason)
            if event is not None:
                events.append(event)
        if not affected and before is not change.affiliation:
            events.append(Absent(address, before, change.affiliation, by, change.reason))
        return events

    def _moved(self, occupant: Occupant, before: Affiliation, by: str, reason: str) -> Changed | Removed | None:
        after = self.affiliation(occupant.address)
        if after is Affiliation.OUTCAST:
            return self._put_out(occupant, Removal.BANNED, by, reason)
        if after is Affiliation.NONE and self.config.is_members_only:
            return self._put_out(occupant, Removal.LOST_MEMBERSHIP, by, reason)
        was = occupant.role
        occupant.role = role_after(was, before, after, is_moderated=self.config.is_moderated)
        if after is before and occupant.role is was:
            return None
        return Changed(occupant, was, by, reason)

    def _set_standing(self, address: str, standing: Standing) -> None:
        old = self.standings.pop(address, None)
        if old is not None and old.nick:
            del self._reserved[old.nick]
        if standing.affiliation is not Affiliation.NONE:
            self.standings[address] = standing
            if standing.nick:
                self._reserved[standing.nick] = address

    def check_register(self, address: str, nick: str) -> StandingChange:
        """Whether somebody may reserve a nickname, becoming a member (§7.10); raises RoomRefused."""
        known = self.standing(address)
        if known.affiliation is Affiliation.OUTCAST:
            raise RoomRefused(Why.BANNED)
        if not self.may_register(address):
            raise RoomRefused(Why.NO_PRIVILEGE, "members are added by admins here")
        self._check_nick(address, nick)
        affiliation = Affiliation.MEMBER if known.affiliation is Affiliation.NONE else known.affiliation
        change = StandingChange(address, affiliation, nick)
        if known.affiliation is Affiliation.NONE:
            self._check_outcome({**self.standings, address: Standing(affiliation)})
        return change

    def release_nick(self, address: str) -> None:
        """Somebody gives up a reserved nickname, and stays what they are."""
        known = self.standings[address]
        self._set_standing(address, Standing(known.affiliation, "", known.reason))

    def may_register(self, address: str) -> bool:
        """Whether somebody may ask to be registered."""
        affiliation = self.affiliation(address)
        if affiliation.rank >= Affiliation.MEMBER.rank:
            return True
        is_open = self.config.is_registration_open and not self.config.is_members_only
        return is_open and affiliation is Affiliation.NONE

    # Options and subject.

    def check_owner(self, address: str) -> None:
        """Raises RoomRefused for who is no owner."""
        if self.affiliation(address) is not Affiliation.OWNER:
            raise RoomRefused(Why.NO_PRIVILEGE, "only owners may do this")

    def configure(self, config: RoomConfig) -> list[Changed | Removed]:
        """Other options from now on; returns what that does to those inside (§10.2)."""
        before, self.config = self.config, config
        self.is_locked = False
        if not config.is_moderated:
            self.voices.clear()
        events: list[Changed | Removed] = []
        for occupant in list(self.occupants.values()):
            affiliation = self.affiliation(occupant.address)
            if config.is_members_only and not before.is_members_only and affiliation is Affiliation.NONE:
                events.append(self._put_out(occupant, Removal.ROOM_CLOSED_TO_STRANGERS))
            elif before.is_moderated and not config.is_moderated and occupant.role is Role.VISITOR:
                # §7.2.4: without moderation nobody is without voice.
                occupant.role = Role.PARTICIPANT
                events.append(Changed(occupant, Role.VISITOR))
        return events

    def may_change_subject(self, role: Role) -> bool:
        """Whether an occupant of that role may set the subject (§8.1)."""
        least = Role.PARTICIPANT if self.config.is_subject_open else Role.MODERATOR
        return role.rank >= least.rank

    def check_invited(self, invitees: Iterable[str]) -> None:
        """Whether there is room for the members that an invitation makes of bare addresses; raises RoomRefused."""
        if self.config.is_members_only:
            new = {one for one in invitees if self.affiliation(one) is Affiliation.NONE}
            self._check_outcome({**self.standings, **dict.fromkeys(new, Standing(Affiliation.MEMBER))})

    def may_invite(self, address: str) -> bool:
        """Whether an occupant may invite others (§7.8.2, §9.5): in a members-only room that adds a member."""
        if not self.config.is_members_only or self.config.is_invite_open:
            return True
        return self.affiliation(address).rank >= Affiliation.ADMIN.rank

    def with_config(self, **options: object) -> RoomConfig:
        """The options with some replaced."""
        return replace(self.config, **options)  # type: ignore[arg-type]  # names and types are the caller's


def _concerns(address: str, occupant: str) -> bool:
    """Whether what an address is to a room is what the occupant's address is: the same, or its domain."""
    return occupant == address or ("@" not in address and occupant.partition("@")[2] == address)


def _check_reserved(reserved: dict[str, str], change: StandingChange) -> None:
    if change.nick and change.affiliation.rank >= Affiliation.MEMBER.rank:
        if reserved.get(change.nick, change.address) != change.address:
            raise RoomRefused(Why.NICK_TAKEN, "the nickname is reserved")
        reserved[change.nick] = change.address
