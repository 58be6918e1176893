"""Invitations by way of the room, and their refusals (XEP-0045 §7.8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.room import StandingChange
from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.rooms.names import NS_CONFERENCE, NS_MUC_USER
from parley.edges.xmpp.rooms.rendering import addressed, room_message, user
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.extension import Inbound
    from parley.edges.xmpp.rooms.live import LiveRoom
    from parley.protocols.xmpp.element import Element

_INVITE = f"{{{NS_MUC_USER}}}invite"
_DECLINE = f"{{{NS_MUC_USER}}}decline"
_REASON = f"{{{NS_MUC_USER}}}reason"
_CONTINUE = f"{{{NS_MUC_USER}}}continue"
_MOST = 50
"""Invitations in one message."""


def is_mediated(element: Element) -> bool:
    """Whether a message asks the room to hand something on."""
    return element.has(NS_MUC_USER, "x")


async def mediate(live: LiveRoom, stanza: Inbound) -> None:
    """Hand on invitations and refusals of them. Raises StanzaError, RoomRefused, StorageUnavailable."""
    child = stanza.element.child(NS_MUC_USER, "x")
    tree = stanza.element.tree() if child is None else stanza.element.child_tree(child)
    invites, declines = tree.findall(_INVITE), tree.findall(_DECLINE)
    if (not invites and not declines) or len(invites) + len(declines) > _MOST:
        raise StanzaError(StanzaCondition.BAD_REQUEST)
    if declines:
        # Who refuses an invitation was never inside, so this is open to strangers.
        live.check_rate(str(stanza.sender), len(declines))
    for decline in declines:
        _decline(live, stanza, decline)
    if invites:
        await _invite_all(live, stanza, invites)


async def _invite_all(live: LiveRoom, stanza: Inbound, invites: list[_Element]) -> None:
    session, address, room = str(stanza.sender), str(stanza.sender.bare), live.room
    if room.inside(session) is None:
        raise RoomRefused(Why.NOT_INSIDE, "you are not in the room")
    live.check_rate(session, len(invites))
    if not room.may_invite(address):
        raise RoomRefused(Why.NO_PRIVILEGE, "only admins may invite")
    invitees = [JID.parse(invite.get("to", "")) for invite in invites]
    for invitee in invitees:
        await _check_exists(live, invitee)
    room.check_invited(str(invitee.bare) for invitee in invitees)
    for invitee, invite in zip(invitees, invites, strict=True):
        if room.config.is_members_only:
            # §9.5: an invitation to a members-only room makes a member.
            await _add_member(live, session, str(invitee.bare))
        reason = _bounded(live, invite.findtext(_REASON))
        thread = invite.find(_CONTINUE)
        await invite_person(live, str(stanza.sender.bare), invitee, reason=reason, thread=thread)


async def _check_exists(live: LiveRoom, invitee: JID) -> None:
    if live.host.router.is_account(invitee) and await live.host.stores.directory.find(str(invitee.bare)) is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND, "there is nobody of that address")


async def _add_member(live: LiveRoom, session: str, address: str) -> None:
    room = live.room
    if room.affiliation(address) is not Affiliation.NONE:
        return
    change = StandingChange(address, Affiliation.MEMBER)
    await live.host.stores.rooms.set_standings(room.address, {address: room.standing_after(change)})
    live.tell(room.change_standing(change, room.nick_of(session)))


async def invite_person(
    live: LiveRoom, by: str, invitee: JID, *, reason: str = "", thread: _Element | None = None
) -> None:
    """Send an invitation; it waits for who is away.

    Args:
        live: the room.
        by: the bare address of who invites.
        invitee: bare or full.
        reason: in words.
        thread: the `<continue/>` of an invitation that goes on with a conversation.

    Raises:
        StanzaError: there is nobody of that address, or no way there.
    """
    children = [xml("reason", None, reason)] if reason else []
    if thread is not None:
        children.append(xml("continue", {"thread": thread.get("thread")}))
    password = live.room.config.password
    secret = xml("password", None, password) if password else b""
    invited = user(xml("invite", {"from": by}, *children), secret)
    # For clients that only know the other form (XEP-0249).
    attrs = {"xmlns": NS_CONFERENCE, "jid": live.room.address, "password": password or None, "reason": reason or None}
    stanza = room_message(live.room.address, invited, xml("x", attrs), kind=None, message_id=live.host.new_id())
    await live.host.post.mail(addressed(stanza, str(invitee)), live.jid, invitee)


def _decline(live: LiveRoom, stanza: Inbound, decline: _Element) -> None:
    """Tell who invited; only somebody who is in the room, or belongs to it: a room passes on nothing to strangers."""
    to = JID.parse(decline.get("to", ""))
    room = live.room
    reason = _bounded(live, decline.findtext(_REASON))
    said = xml("decline", {"from": str(stanza.sender.bare)}, xml("reason", None, reason) if reason else b"")
    message = room_message(room.address, user(said), kind=None, message_id=stanza.element.id)
    inside = [
        occupant
        for occupant in room.occupants.values()
        if occupant.address == str(to.bare) or (to.bare == live.jid and occupant.nick == to.resource)
    ]
    for occupant in inside:
        live.send_to(message, occupant)
    if not inside and room.affiliation(str(to.bare)).rank >= Affiliation.MEMBER.rank:
        live.host.post.send(addressed(message, str(to.bare)), to.bare)


def _bounded(live: LiveRoom, text: str | None) -> str:
    return (text or "").strip()[: live.host.settings.rooms.max_subject_bytes]
