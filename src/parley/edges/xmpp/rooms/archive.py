"""A room's archive (XEP-0313 §4 and §6 for rooms): pages, the form, and from when to when it reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from parley.domain.errors import NotFound
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.ports import RoomArchivePage, RoomArchiveQuery, RoomMessage
from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.clients.session import Session
from parley.edges.xmpp.delivery import archives
from parley.edges.xmpp.rooms.rendering import user
from parley.protocols.xmpp.element import insert_children, xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.edges.xmpp.rooms.requests import Asked
    from parley.protocols.xmpp.jid import JID


def _check_reader(asked: Asked) -> None:
    """Who may read: those inside, those who belong to the room, and where everybody may enter, everybody."""
    live, room = asked.live, asked.live.room
    if not live.keeps_archive:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    affiliation = room.affiliation(asked.address)
    is_open = not (room.config.is_members_only or room.config.password or room.is_locked)
    is_known = affiliation.rank >= Affiliation.MEMBER.rank or room.inside(asked.session) is not None
    if affiliation is Affiliation.OUTCAST or not (is_known or is_open):
        raise RoomRefused(Why.NO_PRIVILEGE, "this archive is not for everybody")


async def ask_archive(asked: Asked) -> bytes | None:
    """A page of it. Raises RoomRefused, StanzaError, PayloadError, StorageUnavailable."""
    _check_reader(asked)
    query = archives.parse_query(asked.tree, limit=asked.live.host.settings.archive.max_page_items)
    page = await _page(asked, query)
    await _send(asked, query, page)
    ids = [message.id for message in page.messages]
    told = archives.page_of(ids, query, index=page.index, total=page.total)
    return archives.fin(told, is_complete=page.is_complete)


async def _page(asked: Asked, query: archives.PageQuery) -> RoomArchivePage:
    wanted = RoomArchiveQuery(
        room=asked.live.room.address,
        nick=_nick(asked, query.peer),
        start=query.start,
        end=query.end,
        newer_than=query.newer_than,
        older_than=query.older_than,
        after_id=query.after_id,
        before_id=query.before_id,
        ids=query.ids or (),
        is_backward=query.is_backward,
        index=query.index,
        limit=query.limit,
        counted=query.counted,
    )
    rooms = asked.live.host.stores.rooms
    try:
        if query.index is not None and query.index > archives.COUNTED:
            # XEP-0059 §2.5: pages are found by number where the count is told, and beyond it there is nothing.
            page = await rooms.page(replace(wanted, index=None, limit=0, counted=archives.COUNTED))
            if page.total is None:
                raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "too many messages to find one by number")
            return replace(page, is_complete=True)
        return await rooms.page(wanted)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error


def _nick(asked: Asked, peer: JID | None) -> str | None:
    """`with` names an occupant by the address in the room; the room itself means everybody."""
    if peer is None:
        return None
    if peer.bare != asked.live.jid:
        # Real addresses are not asked for: who may not see them must not find out by this.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name an occupant by the address in the room")
    return peer.resource or None


async def _send(asked: Asked, query: archives.PageQuery, page: RoomArchivePage) -> None:
    live, origin = asked.live, asked.stanza.origin
    sees = live.room.shows_addresses_to(live.room.role(asked.session))
    for message in query.in_order(page.messages):
        if isinstance(origin, Session):
            await origin.room()
        content = _as_seen(message) if sees else message.content
        found = archives.archived(query.query_id, message.id, message.at, live.room.address, content)
        stanza = archives.result(live.room.address, asked.session, found)
        if origin is None:
            live.host.post.send(stanza, asked.stanza.sender)
        else:
            origin.answer(stanza)


def _as_seen(message: RoomMessage) -> bytes:
    """XEP-0313 §6.1.2: with the real address, for those who may see it."""
    if not message.sender:
        return message.content
    return insert_children(message.content, user(xml("item", {"jid": message.sender})))


async def ask_archive_form(asked: Asked) -> bytes:
    """XEP-0313 §4.1.5: the fields that a query may have."""
    _check_reader(asked)
    return archives.query_form()


async def ask_archive_metadata(asked: Asked) -> bytes:
    """XEP-0313 §5: its first and its last message."""
    _check_reader(asked)
    bounds = await asked.live.host.stores.rooms.bounds(asked.live.room.address)
    if bounds is None:
        return archives.metadata(None)
    first, last = bounds
    return archives.metadata(((first.id, first.at), (last.id, last.at)))
