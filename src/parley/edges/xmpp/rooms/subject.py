"""The subject (XEP-0045 §7.2.15 and §8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.room import Subject
from parley.edges.xmpp.rooms.rendering import delay_of, in_room, room_message
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.namespaces import NS_CLIENT

if TYPE_CHECKING:
    from parley.domain.rooms.events import Occupant
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.protocols.xmpp.element import Element


def is_subject_change(element: Element) -> bool:
    """§8.1: a subject and neither a body nor a thread."""
    return (
        element.has(NS_CLIENT, "subject")
        and not element.has(NS_CLIENT, "body")
        and not element.has(NS_CLIENT, "thread")
    )


def check_subject(live: LiveRoom, occupant: Occupant, element: Element) -> None:
    """Whether the occupant may set this subject; raises RoomRefused."""
    if not live.room.may_change_subject(occupant.role):
        raise RoomRefused(Why.NO_PRIVILEGE, "you may not change the subject")
    if len(_content(element)) > live.host.settings.rooms.max_subject_bytes:
        raise RoomRefused(Why.TOO_LONG, "the subject is too long")


async def set_subject(live: LiveRoom, occupant: Occupant, element: Element) -> None:
    """Make it the subject and store it; to tell everybody is the caller's."""
    text = element.text_of(NS_CLIENT, "subject") or ""
    # XEP-0421 §4: whose it is goes with it, also when it is shown again.
    content = (_content(element) if text else xml("subject")) + live.occupant_id(occupant.address)
    subject = Subject(content, text, occupant.nick, live.host.clock.now_us())
    await live.host.stores.rooms.set_subject(live.room.address, subject)
    live.room.subject = subject


def _content(element: Element) -> bytes:
    # One for each language.
    subjects = [c for c in element.children if c.name == "subject" and c.namespace == NS_CLIENT]
    return b"".join([element.child_bytes(child) for child in subjects])


def send_subject(live: LiveRoom, session: str) -> None:
    """Tell a newcomer the subject; §7.2.15: an empty one where there is none, so that the end of history is known."""
    subject, room = live.room.subject, live.room
    if not subject.at:
        live.send(room_message(room.address, xml("subject")), session)
        return
    from_ = in_room(live.jid, subject.nick)
    # A subject that was stored before identities were has none.
    content = subject.content or xml("subject")
    live.send(room_message(from_, content, delay_of(room.address, subject.at)), session)
