"""The archive of messages: an account asks for its own, page by page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery, StoredMessage
from parley.edges.xmpp.decoration import delay, forwarded
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_DATA, NS_MAM
from parley.protocols.xmpp.rsm import Page, PageRequest, parse_page_request

if TYPE_CHECKING:
    from parley.base.config import Settings

_FIELDS: Final = {
    "with": "jid-single",
    "start": "text-single",
    "end": "text-single",
    "before-id": "text-single",
    "after-id": "text-single",
    "ids": "list-multi",
}
# XEP-0122: the list is open, not every id is an option.
_COUNTED: Final = 5_000
"""Messages that are counted beside a page. XEP-0059 §2.2 lets the count and the index be absent."""
_OPEN: Final = xml("validate", {"xmlns": f"{NS_DATA}-validate", "datatype": "xs:string"}, xml("open"))


async def _query(request: IqRequest) -> bytes:
    tree = request.tree
    form = find_form(tree) or Form("submit")
    page_request = parse_page_request(tree)
    query = _archive_query(request, form, page_request)
    page = await _page(request, query)
    is_flipped = tree.find(f"{{{NS_MAM}}}flip-page") is not None
    await _send(request, reversed(page.messages) if is_flipped else page.messages, tree.get("queryid"))
    # XEP-0059 §2.6 leaves the index to us. slixmpp, whichever way it pages, takes a page that ends at the count for
    # the last one, and so would stop after the first page of a backward query.
    return _fin(page, None if query.is_backward else page.index)


def _archive_query(request: IqRequest, form: Form, page: PageRequest) -> ArchiveQuery:
    if form.type != "submit" or form.form_type not in ("", NS_MAM):
        raise PayloadError("not a form for the archive")
    for field in form.fields:
        if field.var != "FORM_TYPE" and field.var not in _FIELDS:
            # §4.1.5: an unknown field MUST be refused.
            raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, f"unknown field {field.var}")
    if page.index is not None:
        # XEP-0059 §2.4: who cannot do it says so.
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "pages are not found by number")
    limit = request.host.settings.archive.max_page_items
    ids = form.field("ids")
    if ids is not None and len(ids.values) > limit:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, f"at most {limit} messages are asked for at once")
    peer, start, end = form.value("with"), form.value("start"), form.value("end")
    return ArchiveQuery(
        account_id=request.session.account.id,
        peer=str(JID.parse(peer).bare) if peer else None,
        start=parse_datetime(start) if start else None,
        end=parse_datetime(end) if end else None,
        # A page is inside the range that the form gives, so its own edges are the narrower ones.
        after_id=page.after or form.value("after-id") or None,
        before_id=page.before or form.value("before-id") or None,
        ids=() if ids is None else tuple(dict.fromkeys(ids.values)),
        is_backward=page.before is not None,
        limit=limit if page.max is None else min(page.max, limit),
        # XEP-0059 §2.6: a page of no items asks for the count, whatever it costs.
        counted=None if page.max == 0 else _COUNTED,
    )


async def _page(request: IqRequest, query: ArchiveQuery) -> ArchivePage:
    try:
        return await request.host.stores.messages.page(query)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error


async def _send(request: IqRequest, messages: Iterable[StoredMessage], query_id: str | None) -> None:
    session = request.session
    attrs = {"from": session.account.address, "to": str(session.jid)}
    for message in messages:
        await session.room()
        stamp = delay(session.account.domain, message.received_at)
        result = xml(
            "result", {"xmlns": NS_MAM, "queryid": query_id, "id": message.id}, forwarded(message.content, stamp)
        )
        session.send(xml("message", attrs, result))


def _fin(page: ArchivePage, index: int | None) -> bytes:
    shown = page.messages
    answer = Page(shown[0].id, shown[-1].id, index, page.total) if shown else Page(count=page.total)
    return xml("fin", {"xmlns": NS_MAM, "complete": "true" if page.is_complete else None}, answer.to_bytes())


async def _form(_request: IqRequest) -> bytes:
    """§4.1.5: the fields that a query may have."""
    fields = [Field("FORM_TYPE", (NS_MAM,), "hidden").to_bytes()]
    for var, kind in _FIELDS.items():
        fields.append(xml("field", {"var": var, "type": kind}, _OPEN if var == "ids" else b""))
    return xml("query", {"xmlns": NS_MAM}, xml("x", {"xmlns": NS_DATA, "type": "form"}, *fields))


async def _metadata(request: IqRequest) -> bytes:
    bounds = await request.host.stores.messages.bounds(request.session.account.id)
    if bounds is None:
        return xml("metadata", {"xmlns": NS_MAM})
    edges = [
        xml(name, {"id": message.id, "timestamp": format_datetime(message.received_at)})
        for name, message in zip(("start", "end"), bounds, strict=True)
    ]
    return xml("metadata", {"xmlns": NS_MAM}, *edges)


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0313",
    name="Message Archive Management",
    version="1.1.1",
    status="complete but for one thing: a full address in `with` counts as its bare one",
    is_enabled=_is_enabled,
    account_features=(NS_MAM, f"{NS_MAM}#extended"),
    iq=(
        IqHandler("set", NS_MAM, "query", _ACCOUNT, _query),
        IqHandler("get", NS_MAM, "query", _ACCOUNT, _form),
        IqHandler("get", NS_MAM, "metadata", _ACCOUNT, _metadata),
    ),
)
