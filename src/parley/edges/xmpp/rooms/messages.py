"""Messages to rooms: to everybody (XEP-0045 §7.4), to one occupant (§7.5), and what is asked of the room by message."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from parley.domain.errors import NotFound, StorageUnavailable
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.events import Occupant, Removal
from parley.domain.rooms.ports import RoomMessage
from parley.domain.rooms.standing import Role
from parley.edges.xmpp.delivery.decoration import with_stanza_id
from parley.edges.xmpp.delivery.messages import origin_id, unstamped
from parley.edges.xmpp.delivery.traits import Traits, kind_of, traits_of
from parley.edges.xmpp.rooms.bounces import is_undeliverable
from parley.edges.xmpp.rooms.invitations import is_mediated, mediate
from parley.edges.xmpp.rooms.names import NS_MUC_USER, NS_OCCUPANT_ID, NS_RETRACT
from parley.edges.xmpp.rooms.rendering import in_room, user, without
from parley.edges.xmpp.rooms.retraction import check_own_retraction, retract
from parley.edges.xmpp.rooms.subject import check_subject, is_subject_change, set_subject
from parley.edges.xmpp.rooms.voice import is_voice_form, receive_voice_form
from parley.protocols.xmpp.element import Child, Element, insert_children, restamp
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_DELAY, NS_STANZA_IDS

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.edges.xmpp.rooms.service import Rooms

_KEY_BYTES = 16


async def receive_message(rooms: Rooms, stanza: Inbound) -> None:
    """Handle a message to a room or an occupant's address. Raises StanzaError, RoomRefused, StorageUnavailable."""
    element = stanza.element
    kind = kind_of(element)
    live = await rooms.find(stanza.to)
    if kind == "error":
        if live is not None:
            rooms.passing.bounced(live, stanza)
            if is_undeliverable(stanza):
                live.leave(str(stanza.sender), Removal.UNREACHABLE)
        return
    # §17.2.3: nor is a room there that is not unlocked.
    if live is None or live.room.is_locked:
        raise RoomRefused(Why.NO_SUCH_ROOM)
    if stanza.to.resource:
        _private(live, stanza, kind)
    elif kind == "groupchat":
        await _to_all(live, stanza)
    elif is_mediated(element):
        await mediate(live, stanza)
    elif is_voice_form(element):
        receive_voice_form(live, stanza)
    else:
        # §17.2.1: what is for the room is of type groupchat.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "messages to a room are of type groupchat")


def _sender(live: LiveRoom, stanza: Inbound) -> Occupant:
    session = str(stanza.sender)
    occupant = live.room.inside(session)
    if occupant is None:
        raise RoomRefused(Why.NOT_INSIDE, "you are not in the room")
    live.check_rate(session)
    return occupant


def _private(live: LiveRoom, stanza: Inbound, kind: str) -> None:
    occupant = _sender(live, stanza)
    if kind == "groupchat":
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a message to one occupant is not of type groupchat")
    if not live.room.config.private_messages.includes(occupant.role):
        raise RoomRefused(Why.NO_PRIVILEGE, "private messages are not allowed here")
    target = live.room.occupants.get(stanza.to.resource)
    if target is None:
        raise RoomRefused(Why.NO_SUCH_OCCUPANT, "nobody of that name is here")
    room = live.room.address
    element = without(stanza.element, lambda child: _is_forged(stanza.element, child, room))
    reflected = _stamped(stanza, element, in_room(live.jid, occupant.nick))
    # §7.5: so that clients can tell a private message by it.
    reflected = insert_children(reflected, user() + live.occupant_id(occupant.address))
    live.rooms.passing.whispered(live, stanza, target)
    live.send_to(reflected, target)


async def _to_all(live: LiveRoom, stanza: Inbound) -> None:
    occupant, element = _sender(live, stanza), stanza.element
    if live.expected_again and live.expected_again.pop(str(stanza.sender), "") == _key(unstamped(element)):
        # Before a crash it was kept, and its sender did not hear of it.
        return
    is_subject = is_subject_change(element)
    if is_subject:
        check_subject(live, occupant, element)
    elif occupant.role.rank < Role.PARTICIPANT.rank:
        raise RoomRefused(Why.NO_PRIVILEGE, "you have no voice here")
    retracted = ""
    if element.has(NS_RETRACT, "retract"):
        retracted = await check_own_retraction(live, occupant, element)
    traits = traits_of(element, "chat")
    said = _said(live, stanza, occupant, traits)
    is_kept = live.keeps_archive and (is_subject or traits.is_archived)
    if is_kept and not await _keep(live, said, occupant, stanza):
        return
    if is_subject:
        await set_subject(live, occupant, element)
    if retracted:
        await retract(live, retracted, said.id if is_kept else "")
    if live.room.is_destroyed:
        raise RoomRefused(Why.NO_SUCH_ROOM)
    reflect(live, said, is_kept=is_kept)


def _said(live: LiveRoom, stanza: Inbound, occupant: Occupant, traits: Traits) -> RoomMessage:
    """The message as everybody is to get it, but for `to` and the archive's id."""
    room, element = live.room.address, stanza.element
    pruned = without(element, lambda child: _is_forged(element, child, room))
    reflected = _stamped(stanza, pruned, in_room(live.jid, occupant.nick))
    content = insert_children(reflected, live.occupant_id(occupant.address))
    now = live.host.clock.now_us()
    # A hint not to store it holds for the history too (XEP-0334 §4).
    is_shown_again = traits.has_content and traits.is_archived and not element.has(NS_RETRACT, "retract")
    return RoomMessage(live.host.new_id(), now, occupant.address, occupant.nick, content, is_shown_again)


async def _keep(live: LiveRoom, said: RoomMessage, occupant: Occupant, stanza: Inbound) -> bool:
    """Store it; False when it was said before. Raises RoomRefused, StorageUnavailable."""
    journal, session, element = live.host.journal, str(stanza.sender), stanza.element
    journal.saying(said.id, live.room.address, session, _key(unstamped(element)))
    try:
        known = await live.host.stores.rooms.append(live.room.address, said, _dedup_key(occupant, element))
    except NotFound as error:
        journal.said(said.id)
        raise RoomRefused(Why.NO_SUCH_ROOM) from error
    except StorageUnavailable:
        journal.said(said.id)
        raise
    if known is not None:
        # The sender did not hear that it had arrived, and sends it again: the others have it.
        live.send(with_stanza_id(said.content, live.room.address, known), session)
        journal.said(said.id)
    return known is None


def reflect(live: LiveRoom, said: RoomMessage, *, is_kept: bool) -> None:
    """Send a message to everybody inside, and remember it for those who enter."""
    if said.in_history:
        live.history.add(said)
        live.waking.said(said.sender)
    live.broadcast(with_stanza_id(said.content, live.room.address, said.id) if is_kept else said.content)
    live.host.journal.said(said.id)


async def reflect_late(live: LiveRoom, message_id: str, session: str, key: str) -> None:
    """After a crash: those inside get what was kept, if it was, and its sender may send it again.

    Raises:
        StorageUnavailable: it cannot be read.
    """
    room = live.room.address
    message = await live.host.stores.rooms.message(room, message_id)
    if message is not None:
        live.expected_again[session] = key
        element, occupant = Element.from_bytes(message.content), live.room.occupants.get(message.nick)
        child = element.child(NS_RETRACT, "retract")
        if child is not None:
            await retract(live, element.child_tree(child).get("id", ""), message_id)
        if is_subject_change(element) and occupant is not None:
            await set_subject(live, occupant, element)
        live.broadcast(with_stanza_id(message.content, room, message_id))
    live.host.journal.said(message_id)


def _stamped(stanza: Inbound, element: Element, from_: str) -> bytes:
    if stanza.origin is None:
        return restamp(element, from_=from_, to=None)
    return stanza.origin.stamped(element, to=None, from_=from_)


def _is_forged(element: Element, child: Child, room: str) -> bool:
    """What only the room may say (XEP-0045 §17.3.2, XEP-0421 §4, XEP-0359 §5)."""
    if child.namespace == NS_STANZA_IDS and child.name == "stanza-id":
        return element.child_tree(child).get("by") == room
    if child.namespace == NS_DELAY:
        return element.child_tree(child).get("from") == room
    return child.namespace in (NS_OCCUPANT_ID, NS_MUC_USER)


def _dedup_key(occupant: Occupant, element: Element) -> bytes | None:
    sent_as = origin_id(element)
    if not sent_as:
        return None
    said = b"\0".join((occupant.address.encode(), sent_as.encode(), unstamped(element)))
    return hashlib.sha256(said).digest()[:_KEY_BYTES]


def _key(said: bytes) -> str:
    return hashlib.sha256(said).hexdigest()[: 2 * _KEY_BYTES]
