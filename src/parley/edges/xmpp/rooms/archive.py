"""A room's archive (XEP-0313 §4 and §6 for rooms): pages, the form, and from when to when it reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.errors import NotFound
from parley.domain.rooms.errors import RoomRefused, Why
from parley.domain.rooms.ports import RoomArchivePage, RoomArchiveQuery, RoomMessage
from parley.domain.rooms.standing import Affiliation
from parley.edges.xmpp.decoration import delay, forwarded
from parley.edges.xmpp.rooms.rendering import user
from parley.edges.xmpp.session import Session
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.element import insert_children, xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_DATA, NS_MAM
from parley.protocols.xmpp.rsm import Page, PageRequest, parse_page_request

if TYPE_CHECKING:
    from parley.edges.xmpp.rooms.requests import Asked

_FIELDS: Final = {
    "with": "jid-single",
    "start": "text-single",
    "end": "text-single",
    "before-id": "text-single",
    "after-id": "text-single",
    "ids": "list-multi",
}
_COUNTED: Final = 5_000
_OPEN: Final = xml("validate", {"xmlns": f"{NS_DATA}-validate", "datatype": "xs:string"}, xml("open"))


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
    tree = asked.tree
    form = find_form(tree) or Form("submit")
    query = _query(asked, form, parse_page_request(tree))
    try:
        page = await asked.live.host.stores.rooms.page(query)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error
    is_flipped = tree.find(f"{{{NS_MAM}}}flip-page") is not None
    await _send(asked, page, tree.get("queryid"), is_flipped=is_flipped)
    return _fin(page, None if query.is_backward else page.index)


def _query(asked: Asked, form: Form, page: PageRequest) -> RoomArchiveQuery:
    if form.type != "submit" or form.form_type not in ("", NS_MAM):
        raise PayloadError("not a form for the archive")
    for field in form.fields:
        if field.var != "FORM_TYPE" and field.var not in _FIELDS:
            # XEP-0313 §4.1.5: an unknown field MUST be refused.
            raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, f"unknown field {field.var}")
    if page.index is not None:
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "pages are not found by number")
    limit = asked.live.host.settings.archive.max_page_items
    ids = form.field("ids")
    if ids is not None and len(ids.values) > limit:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, f"at most {limit} messages are asked for at once")
    start, end = form.value("start"), form.value("end")
    return RoomArchiveQuery(
        room=asked.live.room.address,
        nick=_nick(asked, form.value("with")),
        start=parse_datetime(start) if start else None,
        end=parse_datetime(end) if end else None,
        # A page is inside the range that the form gives, so its own edges are the narrower ones.
        after_id=page.after or form.value("after-id") or None,
        before_id=page.before or form.value("before-id") or None,
        ids=() if ids is None else tuple(dict.fromkeys(ids.values)),
        is_backward=page.before is not None,
        limit=limit if page.max is None else min(page.max, limit),
        counted=None if page.max == 0 else _COUNTED,
    )


def _nick(asked: Asked, text: str | None) -> str | None:
    """`with` names an occupant by the address in the room; the room itself means everybody."""
    if not text:
        return None
    jid = JID.parse(text)
    if jid.bare != asked.live.jid:
        # Real addresses are not asked for: who may not see them must not find out by this.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "name an occupant by the address in the room")
    return jid.resource or None


async def _send(asked: Asked, page: RoomArchivePage, query_id: str | None, *, is_flipped: bool) -> None:
    live, origin = asked.live, asked.stanza.origin
    sees = live.room.shows_addresses_to(live.room.role(asked.session))
    for message in reversed(page.messages) if is_flipped else page.messages:
        if isinstance(origin, Session):
            await origin.room()
        content = _as_seen(message) if sees else message.content
        stamp = delay(live.room.address, message.at)
        attrs = {"xmlns": NS_MAM, "queryid": query_id, "id": message.id}
        result = xml("result", attrs, forwarded(content, stamp))
        stanza = xml("message", {"from": live.room.address, "to": asked.session}, result)
        if origin is None:
            live.host.post.send(stanza, asked.stanza.sender)
        else:
            origin.answer(stanza)


def _as_seen(message: RoomMessage) -> bytes:
    """XEP-0313 §6.1.2: with the real address, for those who may see it."""
    if not message.sender:
        return message.content
    return insert_children(message.content, user(xml("item", {"jid": message.sender})))


def _fin(page: RoomArchivePage, index: int | None) -> bytes:
    shown = page.messages
    answer = Page(shown[0].id, shown[-1].id, index, page.total) if shown else Page(count=page.total)
    return xml("fin", {"xmlns": NS_MAM, "complete": "true" if page.is_complete else None}, answer.to_bytes())


async def ask_archive_form(asked: Asked) -> bytes:
    """XEP-0313 §4.1.5: the fields that a query may have."""
    _check_reader(asked)
    fields = [Field("FORM_TYPE", (NS_MAM,), "hidden").to_bytes()]
    for var, kind in _FIELDS.items():
        fields.append(xml("field", {"var": var, "type": kind}, _OPEN if var == "ids" else b""))
    return xml("query", {"xmlns": NS_MAM}, xml("x", {"xmlns": NS_DATA, "type": "form"}, *fields))


async def ask_archive_metadata(asked: Asked) -> bytes:
    """XEP-0313 §5: its first and its last message."""
    _check_reader(asked)
    bounds = await asked.live.host.stores.rooms.bounds(asked.live.room.address)
    if bounds is None:
        return xml("metadata", {"xmlns": NS_MAM})
    edges = [
        xml(name, {"id": message.id, "timestamp": format_datetime(message.at)})
        for name, message in zip(("start", "end"), bounds, strict=True)
    ]
    return xml("metadata", {"xmlns": NS_MAM}, *edges)
