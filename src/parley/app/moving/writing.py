"""Writes accounts as XEP-0227: credentials, contacts, the blocked, messages, nodes, private data, card and archive."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.app.moving.elements import NS_PRIVACY
from parley.app.moving.reading import NS_ARCHIVE, NS_PIE, NS_PRIVATE, NS_SCRAM
from parley.domain.messages import ArchiveQuery
from parley.domain.pubsub.nodes import PubsubService
from parley.domain.pubsub.pages import ItemQuery
from parley.edges.xmpp.delivery.decoration import delay, forwarded
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import insert_children, to_frame, xml
from parley.protocols.xmpp.namespaces import (
    NS_DELAY,
    NS_MAM,
    NS_PUBSUB,
    NS_PUBSUB_NODE_CONFIG,
    NS_PUBSUB_OWNER,
    NS_ROSTER,
)

if TYPE_CHECKING:
    from parley.domain.accounts import Account, Credential
    from parley.domain.contacts import Contact
    from parley.storage.sqlite.store import SqliteStorage

_PAGE: Final = 500
_BLOCKED: Final = "blocked"


async def write_portable(storage: SqliteStorage, accounts: Sequence[Account]) -> AsyncIterator[bytes]:
    """The document in pieces."""
    yield b"<?xml version='1.0' encoding='UTF-8'?>\n" + b'<server-data xmlns="%b">\n' % NS_PIE.encode()
    for domain in sorted({account.domain for account in accounts}):
        yield xml("host", {"jid": domain})[:-2] + b">\n"
        for account in accounts:
            if account.domain == domain:
                async for piece in _user(storage, account):
                    yield piece
        yield b"</host>\n"
    yield b"</server-data>\n"


async def _user(storage: SqliteStorage, account: Account) -> AsyncIterator[bytes]:
    yield xml("user", {"name": account.address.partition("@")[0]})[:-2] + b">"
    parts = [_credential(each) for each in await storage.accounts.credentials(account.address)]
    contacts = (await storage.rosters.load(account.id)).contacts.values()
    parts.append(xml("query", {"xmlns": NS_ROSTER}, *(_item(each) for each in contacts if each.is_listed)))
    parts += _blocked(await storage.blocks.blocked(account.id))
    parts += [to_frame(each.request) for each in contacts if each.state.pending_in and each.request]
    parts.append(xml("offline-messages", None, *await _messages(storage, account)))
    parts += await _nodes(storage, account)
    private = await storage.personal.all_private(account.id)
    if private:
        parts.append(xml("query", {"xmlns": NS_PRIVATE}, *(each.content for each in private)))
    card = await storage.personal.card(account.id)
    if card is not None:
        parts.append(card.content)
    yield b"".join(parts)
    async for piece in _archive(storage, account):
        yield piece
    yield b"</user>\n"


async def _archive(storage: SqliteStorage, account: Account) -> AsyncIterator[bytes]:
    """The archive, page by page: it may be larger than all else."""
    query = ArchiveQuery(account.id, limit=_PAGE, counted=0)
    yield xml("archive", {"xmlns": NS_ARCHIVE})[:-2] + b">"
    while True:
        page = await storage.messages.page(query)
        for each in page.messages:
            content = forwarded(each.content, delay(account.domain, each.received_at))
            yield xml("result", {"xmlns": NS_MAM, "id": each.id}, content)
        if page.is_complete or not page.messages:
            break
        query = replace(query, after_id=page.messages[-1].id)
    yield b"</archive>"


def _credential(credential: Credential) -> bytes:
    texts = {
        "iter-count": str(credential.iterations),
        "salt": base64.b64encode(credential.salt).decode(),
        "server-key": base64.b64encode(credential.server_key).decode(),
        "stored-key": base64.b64encode(credential.stored_key).decode(),
    }
    children = (xml(name, None, value) for name, value in texts.items())
    return xml("scram-credentials", {"xmlns": NS_SCRAM, "mechanism": f"SCRAM-{credential.mechanism}"}, *children)


def _item(contact: Contact) -> bytes:
    attrs = {
        "jid": contact.address,
        "name": contact.name or None,
        "subscription": contact.state.subscription,
        "ask": "subscribe" if contact.state.pending_out else None,
        "approved": "true" if contact.state.approved else None,
    }
    return xml("item", attrs, *(xml("group", None, group) for group in contact.groups))


def _blocked(addresses: Sequence[str]) -> list[bytes]:
    """XEP-0191 §5: the list of the blocked is the default privacy list."""
    if not addresses:
        return []
    items = [
        xml("item", {"type": "jid", "value": address, "action": "deny", "order": str(order)})
        for order, address in enumerate(addresses, 1)
    ]
    rules = xml("list", {"name": _BLOCKED}, *items)
    return [xml("query", {"xmlns": NS_PRIVACY}, xml("default", {"name": _BLOCKED}), rules)]


async def _messages(storage: SqliteStorage, account: Account) -> list[bytes]:
    found: list[bytes] = []
    after = 0
    while True:
        page = await storage.messages.pending(account.id, after, _PAGE)
        for message in page:
            attrs = {"xmlns": NS_DELAY, "from": account.domain, "stamp": format_datetime(message.received_at)}
            found.append(to_frame(insert_children(message.content, xml("delay", attrs))))
            after = message.seq
        if len(page) < _PAGE:
            return found


async def _nodes(storage: SqliteStorage, account: Account) -> list[bytes]:
    service = PubsubService(account.address, account.id)
    items, owned = [], []
    for node in await storage.nodes.nodes(service):
        page = await storage.nodes.items(service, node.name, ItemQuery())
        items.append(xml("items", {"node": node.name}, *(xml("item", {"id": i.id}, i.payload) for i in page.items)))
        form = Form(
            "submit",
            (
                Field("FORM_TYPE", (NS_PUBSUB_NODE_CONFIG,), "hidden"),
                Field("pubsub#access_model", (node.config.access_model.value,)),
                Field("pubsub#max_items", (str(node.config.max_items),)),
            ),
        )
        owned.append(xml("configure", {"node": node.name}, form.to_bytes()))
    if not items:
        return []
    return [xml("pubsub", {"xmlns": NS_PUBSUB}, *items), xml("pubsub", {"xmlns": NS_PUBSUB_OWNER}, *owned)]
