"""The archive of messages: an account asks for its own, page by page.

An account's archive is read by one query at a time, however many devices ask: a query may walk through much of it, and
the threads that read serve everybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery
from parley.edges.xmpp.delivery import archives
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_MAM

if TYPE_CHECKING:
    from parley.base.config import Settings
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host


class Turns:
    """Who reads an account's archive now."""

    def __init__(self, _host: Host) -> None:
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def of(self, account_id: int) -> asyncio.Lock:
        """To be held while the archive is read."""
        # It is in the table for as long as somebody holds or awaits it.
        lock = self._locks.get(account_id)
        if lock is None:
            lock = self._locks[account_id] = asyncio.Lock()
        return lock


async def _query(request: IqRequest) -> bytes:
    settings = request.host.settings.archive
    query = archives.parse_query(request.tree, limit=settings.max_page_items, extra=_extra(settings.full_text))
    wanted = _wanted(request.session.account, query)
    async with request.host.memory(Turns).of(wanted.account_id):
        page = await _page(request.host, wanted)
    await _send(request, query, page)
    ids = [message.id for message in page.messages]
    told = archives.page_of(ids, query, index=page.index, total=page.total)
    return archives.fin(told, is_complete=page.is_complete, is_stable=page.is_stable)


def _extra(has_full_text: bool) -> tuple[str, ...]:
    return (archives.GROUPCHAT, archives.FULL_TEXT) if has_full_text else (archives.GROUPCHAT,)


def _wanted(account: Account, query: archives.PageQuery) -> ArchiveQuery:
    peer = query.peer
    return ArchiveQuery(
        account_id=account.id,
        peer=None if peer is None else str(peer.bare),
        # §4.1.1: only a full address means the one device.
        device=str(peer) if peer is not None and peer.is_full else "",
        start=query.start,
        end=query.end,
        newer_than=query.newer_than,
        older_than=query.older_than,
        ids=query.ids or (),
        words=query.extra.get(archives.FULL_TEXT, "").strip(),
        after_id=query.after_id,
        before_id=query.before_id,
        is_backward=query.is_backward,
        index=query.index,
        limit=query.limit,
        counted=query.counted,
    )


async def _page(host: Host, wanted: ArchiveQuery) -> ArchivePage:
    messages = host.stores.messages
    try:
        if wanted.index is not None and wanted.index > archives.COUNTED:
            # XEP-0059 §2.5: pages are found by number where the count is told, and beyond it there is nothing.
            page = await messages.page(replace(wanted, index=None, limit=0, counted=archives.COUNTED))
            if page.total is None:
                raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "too many messages to find one by number")
            return replace(page, is_complete=True)
        return await messages.page(wanted)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error


async def _send(request: IqRequest, query: archives.PageQuery, page: ArchivePage) -> None:
    session = request.session
    account, to = session.account, str(session.jid)
    for message in query.in_order(page.messages):
        await session.room()
        found = archives.archived(query.query_id, message.id, message.received_at, account.domain, message.content)
        session.send(archives.result(account.address, to, found))


async def _form(request: IqRequest) -> bytes:
    return archives.query_form(_extra(request.host.settings.archive.full_text))


async def _metadata(request: IqRequest) -> bytes:
    bounds = await request.host.stores.messages.bounds(request.session.account.id)
    if bounds is None:
        return archives.metadata(None)
    first, last = bounds
    return archives.metadata(((first.id, first.received_at), (last.id, last.received_at)))


async def _refuse(_request: IqRequest) -> bytes:
    # §8.1: who may not see an archive gets an error, which SHOULD be this one.
    raise StanzaError(StanzaCondition.FORBIDDEN, "an archive is its owner's alone")


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_OTHERS: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0313",
    name="Message Archive Management",
    version="1.1.3",
    status="complete; messages of rooms are in the rooms' archives, not in those of accounts",
    is_enabled=_is_enabled,
    # Some clients, profanity for one, ask the server only.
    server_features=(NS_MAM,),
    account_features=(*archives.FEATURES, f"{NS_MAM}#groupchat-field"),
    iq=(
        IqHandler("set", NS_MAM, "query", _ACCOUNT, _query),
        IqHandler("get", NS_MAM, "query", _ACCOUNT, _form),
        IqHandler("get", NS_MAM, "metadata", _ACCOUNT, _metadata),
        IqHandler("set", NS_MAM, "query", _OTHERS, _refuse, for_strangers=True),
        IqHandler("get", NS_MAM, "query", _OTHERS, _refuse, for_strangers=True),
        IqHandler("get", NS_MAM, "metadata", _OTHERS, _refuse, for_strangers=True),
    ),
)
