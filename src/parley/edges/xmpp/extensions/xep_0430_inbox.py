"""Conversations with what is unread in each, the one with the latest message first.

What is unread follows from the log: from markers that the account's own devices sent (XEP-0333), and from what they
told each other (XEP-0490). So all devices see the same, and no cut can make it wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lxml import etree

from parley.domain.archive.inbox import Conversation, InboxPage, InboxQuery
from parley.domain.errors import NotFound
from parley.domain.pubsub.nodes import PubsubService
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.delivery import archives
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.xep_0313_mam import Turns
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_STANZA_IDS
from parley.protocols.xmpp.rsm import Page, parse_page_request

if TYPE_CHECKING:
    from parley.base.config import Settings
    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

NS_INBOX: Final = "urn:xmpp:inbox:1"
NS_DISPLAYED: Final = "urn:xmpp:mds:displayed:0"
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


async def _inbox(request: IqRequest) -> bytes:
    host, account = request.host, request.session.account
    async with host.memory(Turns).of(account.id):
        page = await _page(request, account)
    has_messages = _flag(request, "messages", default=True)
    for entry in page.entries:
        await request.session.room()
        request.session.send(_message(request, account, entry, has_messages=has_messages))
    return _fin(page)


async def _page(request: IqRequest, account: Account) -> InboxPage:
    asked, limit = parse_page_request(request.tree), request.host.settings.archive.max_page_items
    query = InboxQuery(
        account_id=account.id,
        address=account.address,
        displayed=await displayed(request.host, account),
        is_unread_only=_flag(request, "unread-only", default=False),
        after_id=asked.after,
        before_id=asked.before or None,
        is_backward=asked.before is not None,
        index=asked.index,
        limit=limit if asked.max is None else min(asked.max, limit),
    )
    try:
        return await request.host.stores.inbox.inbox(query)
    except NotFound as error:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND) from error


def _flag(request: IqRequest, name: str, *, default: bool) -> bool:
    value = request.tree.get(name)
    if value is not None and value not in _TRUTH:
        raise PayloadError(f"{name} is not a boolean")
    return default if value is None else _TRUTH[value]


async def displayed(host: Host, account: Account) -> Mapping[str, str]:
    """For each peer, the message up to which the account's devices told each other that all was seen (XEP-0490)."""
    page = await host.stores.nodes.items(PubsubService(account.address, account.id), NS_DISPLAYED, ItemQuery())
    found = {}
    for item in page.items:
        stanza_id = _stanza_id(item.payload)
        # §3.1: an id of another archive than the account's own is one of a room.
        if stanza_id is not None and stanza_id.get("by") == account.address:
            found[item.id] = stanza_id.get("id", "")
    return found


def _stanza_id(payload: bytes) -> etree._Element | None:
    return etree.fromstring(payload).find(f"{{{NS_STANZA_IDS}}}stanza-id")


def _message(request: IqRequest, account: Account, entry: Conversation, *, has_messages: bool) -> bytes:
    attrs = {"xmlns": NS_INBOX, "jid": entry.peer, "unread": str(entry.unread), "id": entry.last_id}
    content, latest = xml("entry", attrs), entry.latest
    if has_messages:
        query_id = request.element.id
        content += archives.archived(query_id, latest.id, latest.received_at, account.domain, latest.content)
    return archives.result(account.address, str(request.sender), content)


def _fin(page: InboxPage) -> bytes:
    attrs = {
        "xmlns": NS_INBOX,
        "total": str(page.conversations),
        "unread": str(page.unread),
        "all-unread": str(page.unread_messages),
    }
    ids = [entry.latest.id for entry in page.entries]
    told = Page(ids[0], ids[-1], page.index, page.listed) if ids else Page(count=page.listed)
    return xml("fin", attrs, told.to_bytes())


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


EXTENSION = Extension(
    spec="XEP-0430",
    name="Inbox",
    version="0.2.0",
    status="complete for conversations with people; rooms are not in it",
    is_enabled=_is_enabled,
    server_features=(NS_INBOX,),
    account_features=(NS_INBOX,),
    iq=(IqHandler("get", NS_INBOX, "inbox", frozenset({Target.ACCOUNT}), _inbox),),
)
