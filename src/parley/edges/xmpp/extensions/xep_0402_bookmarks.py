"""Bookmarks of rooms, and their older forms in step with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.profile.bookmarks import NS_BOOKMARKS, NS_STORAGE, from_storage, publish_storage
from parley.protocols.xmpp.element import Element

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.domain.pubsub.nodes import Node, NodeItem
    from parley.edges.xmpp.host import Host


async def _published(host: Host, account: Account, node: Node, item: NodeItem) -> None:
    if node.name == NS_BOOKMARKS:
        await publish_storage(host, account)
    elif node.name == NS_STORAGE:
        await from_storage(host, account, Element.from_bytes(item.payload).tree())


async def _retracted(host: Host, account: Account, node: Node, _item_id: str) -> None:
    if node.name == NS_BOOKMARKS:
        await publish_storage(host, account)


EXTENSION = Extension(
    spec="XEP-0402",
    name="PEP Native Bookmarks",
    version="1.2.0",
    account_features=(f"{NS_BOOKMARKS}#compat", f"{NS_BOOKMARKS}#compat-pep"),
    on_published=_published,
    on_retracted=_retracted,
)
