"""The archive of messages: an account asks for its own, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery
from parley.edges.xmpp import archives
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_MAM

if TYPE_CHECKING:
    from parley.base.config import Settings

_EXTRA: Final = (archives.GROUPCHAT,)


async def _query(request: IqRequest) -> bytes:
    settings = request.host.settings.archive
    query = archives.parse_query(request.tree, limit=settings.max_page_items, extra=_EXTRA)
    if query.index is not None:
        # XEP-0059 §2.4: who cannot do it says so.
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "pages are not found by number")
    page = await _page(request, query)
    await _send(request, query, page)
    ids = [message.id for message in page.messages]
    return archives.fin(archives.page_of(ids, query, index=page.index, total=page.total), is_complete=page.is_complete)


async def _page(request: IqRequest, query: archives.PageQuery) -> ArchivePage:
    wanted = ArchiveQuery(
        account_id=request.session.account.id,
        peer=None if query.peer is None else str(query.peer.bare),
        start=query.start,
        end=query.end,
        after_id=query.after_id,
        before_id=query.before_id,
        newer_than=query.newer_than,
        older_than=query.older_than,
        ids=query.ids or (),
        is_backward=query.is_backward,
        limit=query.limit,
        counted=query.counted,
    )
    try:
        return await request.host.stores.messages.page(wanted)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error


async def _send(request: IqRequest, query: archives.PageQuery, page: ArchivePage) -> None:
    session = request.session
    account, to = session.account, str(session.jid)
    for message in query.in_order(page.messages):
        await session.room()
        found = archives.archived(query.query_id, message.id, message.received_at, account.domain, message.content)
        session.send(archives.result(account.address, to, found))


async def _form(_request: IqRequest) -> bytes:
    return archives.query_form(_EXTRA)


async def _metadata(request: IqRequest) -> bytes:
    bounds = await request.host.stores.messages.bounds(request.session.account.id)
    if bounds is None:
        return archives.metadata(None)
    first, last = bounds
    return archives.metadata(((first.id, first.received_at), (last.id, last.received_at)))


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0313",
    name="Message Archive Management",
    version="1.1.3",
    status="complete but for one thing: a full address in `with` counts as its bare one",
    is_enabled=_is_enabled,
    account_features=(*archives.FEATURES, f"{NS_MAM}#groupchat-field"),
    iq=(
        IqHandler("set", NS_MAM, "query", _ACCOUNT, _query),
        IqHandler("get", NS_MAM, "query", _ACCOUNT, _form),
        IqHandler("get", NS_MAM, "metadata", _ACCOUNT, _metadata),
    ),
)
