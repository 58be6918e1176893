"""What was said before: shown to who enters (XEP-0045 §7.2.13 and §7.2.14)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.delivery.decoration import with_stanza_id
from parley.edges.xmpp.rooms.names import NS_MUC
from parley.edges.xmpp.rooms.rendering import addressed, delay_of, without
from parley.protocols.xmpp.datetimes import parse_datetime
from parley.protocols.xmpp.element import Element, insert_children
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_DELAY

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.rooms.ports import RoomMessage
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.protocols.xmpp.element import Child

_LONGEST_NUMBER = 10
_MICROSECONDS = 1_000_000


def send_history(live: LiveRoom, session: str, element: Element) -> None:
    """Show a newcomer what was said last, as much as the room has for everybody and the newcomer asked for."""
    asked = _asked(element)
    limit = live.room.config.history_length
    most = _number(asked, "maxstanzas")
    limit = limit if most is None else min(limit, most)
    since = _since(live, asked)
    messages = [message for message in live.history if message.at >= since]
    stanzas = [_shown(live, message) for message in messages[max(len(messages) - limit, 0) :]]
    # §7.2.14: whole stanzas only, the newest ones, of at most so many characters together.
    room_left = _number(asked, "maxchars")
    if room_left is not None:
        stanzas = _newest_within(stanzas, session, room_left)
    for stanza in stanzas:
        live.send(stanza, session)


def _shown(live: LiveRoom, message: RoomMessage) -> bytes:
    content, at = message.content, message.at
    if NS_DELAY.encode() in content and live.room.affiliation(message.sender) is Affiliation.OWNER:
        content, at = _as_it_was(message)
    stanza = insert_children(content, delay_of(live.room.address, at))
    return with_stanza_id(stanza, live.room.address, message.id)


def _as_it_was(message: RoomMessage) -> tuple[bytes, int]:
    """What an owner brought along of an older conversation keeps the time it had, and no second one (§7.9)."""
    element = Element.from_bytes(message.content)
    stamps = [element.child_tree(child).get("stamp", "") for child in element.children if _is_delay(child)]
    try:
        at = parse_datetime(stamps[0]) if len(stamps) == 1 else message.at
    except PayloadError:
        at = message.at
    # Nobody is told by it that something was said later than it was.
    return without(element, _is_delay).raw, min(at, message.at)


def _is_delay(child: Child) -> bool:
    return child.namespace == NS_DELAY and child.name == "delay"


def _newest_within(stanzas: list[bytes], session: str, characters: int) -> list[bytes]:
    first = len(stanzas)
    while first > 0:
        characters -= len(addressed(stanzas[first - 1], session).decode())
        if characters < 0:
            break
        first -= 1
    return stanzas[first:]


def _asked(element: Element) -> _Element | None:
    child = element.child(NS_MUC, "x")
    return None if child is None else element.child_tree(child).find(f"{{{NS_MUC}}}history")


def _number(asked: _Element | None, name: str) -> int | None:
    text = None if asked is None else asked.get(name)
    if text is None:
        return None
    text = text.strip()
    # What is no number limits nothing: to refuse entry for it would help nobody.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _since(live: LiveRoom, asked: _Element | None) -> int:
    earliest = 0
    seconds = _number(asked, "seconds")
    if seconds is not None:
        earliest = live.host.clock.now_us() - seconds * _MICROSECONDS
    text = None if asked is None else asked.get("since")
    if text:
        with suppress(PayloadError):
            earliest = max(earliest, parse_datetime(text))
    return earliest
