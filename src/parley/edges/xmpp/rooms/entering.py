"""Presence to rooms: entering, another presence, another nickname, leaving (XEP-0045 §7.2, §7.6, §7.7, §7.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.config import check_nick
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Occupant, Removal
from parley.domain.rooms.standing import Role
from parley.edges.xmpp.clients.session import Session
from parley.edges.xmpp.rooms.bounces import is_undeliverable
from parley.edges.xmpp.rooms.destroying import destroyed_presence
from parley.edges.xmpp.rooms.history import send_history
from parley.edges.xmpp.rooms.names import CREATED, LOGGED, NICK_ASSIGNED, NS_MUC, RENAMED, SHOWS_ADDRESSES
from parley.edges.xmpp.rooms.refusals import refuse_update
from parley.edges.xmpp.rooms.rendering import EMPTY_PRESENCE, Item, stored_presence
from parley.edges.xmpp.rooms.subject import send_subject
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.service import Rooms
    from parley.protocols.xmpp.element import Element


async def receive_presence(rooms: Rooms, stanza: Inbound) -> None:
    """Handle a presence to a room or an occupant's address. Raises StanzaError, RoomRefused."""
    kind = stanza.element.type
    if kind is None:
        await _available(rooms, stanza)
        return
    live = await rooms.find(stanza.to)
    if live is None:
        return
    session = str(stanza.sender)
    if kind == "unavailable":
        _unavailable(live, stanza)
    elif kind == "error":
        if is_undeliverable(stanza):
            live.leave(session, Removal.UNREACHABLE)
    elif kind == "probe":
        _probed(live, session, stanza.to.resource)


def _probed(live: LiveRoom, session: str, nick: str) -> None:
    """An occupant is told how another one is; nobody else learns who is there."""
    asker, asked = live.room.inside(session), live.room.occupants.get(nick)
    if asker is not None and asked is not None:
        live.shown(asked).to_newcomer(session, asker.role)


def _unavailable(live: LiveRoom, stanza: Inbound) -> None:
    session, room = str(stanza.sender), live.room
    # XEP-0045 §17.3.1: from who is not inside it MUST be ignored.
    if room.inside(session) is None or _is_of_a_predecessor(live, stanza):
        return
    if room.is_locked and len(tuple(room.sessions)) == 1:
        # §10.1.3: an owner who goes before the room was configured takes it along.
        destroyed_presence(live, "", "", "")
        live.rooms.dissolve(live)
        return
    try:
        farewell = _said(live, stanza)
    except StanzaError:
        farewell = EMPTY_PRESENCE
    live.leave(session, farewell=farewell)


def _is_of_a_predecessor(live: LiveRoom, stanza: Inbound) -> bool:
    """Whether the server says goodbye for a session whose resource, and place in the room, another one has by now.

    When a client takes itself back everywhere, it is owed no such goodbye any more; its successor is.
    """
    successor = live.rooms.origin_of(str(stanza.sender), live)
    return stanza.origin is None and isinstance(successor, Session) and stanza.to in successor.directed


async def _available(rooms: Rooms, stanza: Inbound) -> None:
    nick, session = stanza.to.resource, str(stanza.sender)
    if not nick:
        raise StanzaError(StanzaCondition.JID_MALFORMED, "a nickname is missing")
    live = await rooms.find(stanza.to)
    occupant = None if live is None else live.room.inside(session)
    is_wish = stanza.element.has(NS_MUC, "x")
    if live is None or occupant is None:
        if is_wish:
            await _come(rooms, live, stanza)
            return
        if live is not None:
            live.check_rate(session)
        refuse_update(stanza)
        return
    live.check_rate(session)
    if is_wish:
        nick = live.room.nick_for(occupant.address, nick)
    if occupant.nick != nick:
        _rename(live, stanza, nick)
        if is_wish:
            _welcome(live, stanza, occupant)
    elif is_wish:
        # §17.3: it asks to enter and is inside: it has lost what it knew of the room, and is told anew.
        _enter(live, stanza)
    else:
        _update(live, stanza)


async def _come(rooms: Rooms, live: LiveRoom | None, stanza: Inbound) -> None:
    """Enter; a room that is not there is made."""
    if live is not None:
        _enter(live, stanza)
        return
    check_nick(stanza.to.resource, rooms.limits())
    live, is_created = await rooms.create(stanza.to, stanza.sender)
    try:
        _enter(live, stanza, is_created=is_created)
    except (RoomRefused, StanzaError):
        # Nobody is in it, and nobody would ever leave it.
        if is_created:
            rooms.dissolve(live)
        raise


def _enter(live: LiveRoom, stanza: Inbound, *, is_created: bool = False) -> None:
    session, address = str(stanza.sender), str(stanza.sender.bare)
    room, element = live.room, stanza.element
    nick = room.nick_for(address, stanza.to.resource)
    if room.is_destroyed:
        raise RoomRefused(Why.NO_SUCH_ROOM)
    before = room.inside(session)
    if before is None:
        live.check_rate(session)
    seen = b"" if before is None else before.presence
    room.check_enter(session, address, nick, _password(element))
    entered = room.enter(session, address, nick, _said(live, stanza))
    occupant = entered.occupant
    live.is_entered = True
    live.rooms.came(session, live, stanza.origin)
    live.keep_occupant(occupant)
    own_codes: tuple[int, ...] = (CREATED,) if is_created else ()
    own_codes += (NICK_ASSIGNED,) if nick != stanza.to.resource else ()
    # §17.3: of one who was inside already only what is new.
    _welcome(live, stanza, occupant, own_codes, is_news=occupant.presence != seen)


def _welcome(
    live: LiveRoom, stanza: Inbound, occupant: Occupant, codes: tuple[int, ...] = (), *, is_news: bool = False
) -> None:
    """Tell a client what there is to know of the room, in the order of §7.1; with `is_news` the others of it too."""
    room, session = live.room, str(stanza.sender)
    for other in tuple(room.occupants.values()):
        visible = other.role in room.config.presence_of or occupant.role is Role.MODERATOR
        if other is not occupant and visible:
            live.present(other).to_newcomer(session, occupant.role)
    own_codes: tuple[int, ...] = () if room.config.is_anonymous else (SHOWS_ADDRESSES,)
    own_codes += (LOGGED,) if room.config.is_logged else ()
    # §7.2.2: first those who are there, then the newcomer, and only then history, subject and what is said.
    shown = live.shown(occupant, own_codes=(*own_codes, *codes))
    if is_news:
        shown.to_others()
    shown.to_session(session)
    send_history(live, session, stanza.element)
    send_subject(live, session)


def _said(live: LiveRoom, stanza: Inbound) -> bytes:
    return stored_presence(stanza.element, stanza.origin, live.host.settings.rooms.max_presence_bytes)


def _password(element: Element) -> str:
    child = element.child(NS_MUC, "x")
    if child is None:
        return ""
    return element.child_tree(child).findtext(f"{{{NS_MUC}}}password") or ""


def _update(live: LiveRoom, stanza: Inbound) -> None:
    occupant = live.room.update(str(stanza.sender), _said(live, stanza))
    live.keep_occupant(occupant)
    shown = live.shown(occupant)
    shown.to_others()
    shown.to_self()


def _rename(live: LiveRoom, stanza: Inbound, nick: str) -> None:
    """§7.6: the old name goes, with the new one and code 303; then the new one is there."""
    session, room = str(stanza.sender), live.room
    room.check_rename(session, nick)
    renamed = room.rename(session, nick, _said(live, stanza))
    occupant = renamed.occupant
    live.keep_occupant(occupant)
    item = Item(room.affiliation(occupant.address), occupant.role, nick)
    gone = live.show(occupant, item, base=EMPTY_PRESENCE, nick=renamed.before, codes=(RENAMED,))
    shown = live.shown(occupant, own_codes=() if nick == stanza.to.resource else (NICK_ASSIGNED,))
    for presences in (gone, shown):
        presences.to_others()
        presences.to_self()
