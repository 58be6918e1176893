"""Nodes in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    Node,
    NodeConfig,
    NodeItem,
    PubsubService,
    Subscription,
    SubscriptionWord,
    WhenFull,
)
from parley.domain.pubsub.pages import ItemMark, ItemPage, ItemQuery, choose
from parley.domain.pubsub.ports import ListedNode
from parley.domain.pubsub.rules import affiliated, check_subscriptions
from parley.storage.memory.state import NodeTable, Tables

_LISTED: Final = frozenset({Affiliation.OWNER, Affiliation.PUBLISHER, Affiliation.MEMBER})
_MOVED_KEPT: Final = 1000
_SECOND: Final = 1_000_000


class MemoryNodes:
    """Nodes of accounts and of services."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def nodes(self, service: PubsubService) -> list[Node]:
        """All nodes of a service, by name."""
        nodes = self._of(service)
        return [_node(service, name, nodes[name]) for name in sorted(nodes)]

    async def node(self, service: PubsubService, name: str) -> Node | None:
        """One node."""
        found = self._of(service).get(name)
        return None if found is None else _node(service, name, found)

    async def listed(self, service: PubsubService, address: str, after: str, limit: int) -> list[ListedNode]:
        """Nodes that an address may know of."""
        nodes = self._of(service)
        names = [name for name in sorted(nodes) if name > after and _is_listed(nodes[name], address)]
        return [ListedNode(name, nodes[name].config.title) for name in names[:limit]]

    async def create(self, node: Node, limit: int) -> Node:
        """Store a new node."""
        nodes = self._of(node.service)
        if node.name in nodes:
            raise Conflict("node-exists")
        is_personal = node.service.is_personal
        if sum(is_personal or other.creator == node.creator for other in nodes.values()) >= limit:
            raise LimitReached("too-many-nodes")
        if is_personal:
            self._tables.account(node.service.account_id)
        nodes[node.name] = NodeTable(node.config, dict(node.affiliations), node.creator, node.created_at)
        self._moved(node.service).pop(node.name, None)
        return node

    async def configure(self, service: PubsubService, name: str, config: NodeConfig) -> None:
        """Replace the options and drop the items over them."""
        node = self._existing(service, name)
        node.config = config
        _trim(node)

    async def delete(self, service: PubsubService, name: str, moved_to: str = "") -> bool:
        """Delete the node; False if there was none."""
        if self._of(service).pop(name, None) is None:
            return False
        if moved_to:
            moved = self._moved(service)
            moved[name] = moved_to
            for oldest in list(moved)[: max(len(moved) - _MOVED_KEPT, 0)]:
                del moved[oldest]
        return True

    async def moved(self, service: PubsubService, name: str) -> str:
        """Where a deleted node went."""
        return self._moved(service).get(name, "")

    async def affiliate(
        self, service: PubsubService, name: str, changes: Mapping[str, Affiliation], limit: int
    ) -> None:
        """Change what addresses are to a node."""
        node = self._existing(service, name)
        node.affiliations = affiliated(node.affiliations, changes, limit)

    async def affiliations_of(self, service: PubsubService, address: str) -> list[tuple[str, Affiliation]]:
        """What an address is to the nodes of a service."""
        known = {name: node.affiliations.get(address) for name, node in sorted(self._of(service).items())}
        return [(name, word) for name, word in known.items() if word is not None]

    async def disaffiliate(self, address: str) -> list[int]:
        """Forget an address at all nodes."""
        changed = set()
        for account_id, nodes in list(self._all()):
            for name, node in list(nodes.items()):
                jids = [jid for jid, known in node.subscriptions.items() if known.address == address]
                if not jids and address not in node.affiliations:
                    continue
                changed.add(account_id)
                node.affiliations = {key: word for key, word in node.affiliations.items() if key != address}
                for jid in jids:
                    del node.subscriptions[jid]
                if not account_id and Affiliation.OWNER not in node.affiliations.values():
                    del nodes[name]
        return sorted(changed)

    async def subscriptions(self, service: PubsubService, name: str) -> list[Subscription]:
        """The subscriptions to a node, by address."""
        node = self._of(service).get(name)
        return [] if node is None else [node.subscriptions[jid] for jid in sorted(node.subscriptions)]

    async def subscribe(
        self, service: PubsubService, name: str, changes: Sequence[Subscription], limit: int, limit_each: int
    ) -> None:
        """Put and remove subscriptions."""
        node = self._existing(service, name)
        check_subscriptions(list(node.subscriptions.values()), changes, limit, limit_each)
        for change in changes:
            if change.state is SubscriptionWord.NONE:
                node.subscriptions.pop(change.jid, None)
            else:
                node.subscriptions[change.jid] = change

    async def has_subscriptions(self, service: PubsubService) -> bool:
        """Whether anybody is subscribed to any node of a service."""
        return any(node.subscriptions for node in self._of(service).values())

    async def subscriptions_of(self, service: PubsubService, address: str) -> list[tuple[str, Subscription]]:
        """The subscriptions of an address."""
        return [
            (name, subscription)
            for name, node in sorted(self._of(service).items())
            for _, subscription in sorted(node.subscriptions.items())
            if subscription.address == address
        ]

    async def temporary_subscriptions(self, address: str) -> list[tuple[PubsubService, str, Subscription]]:
        """The subscriptions of an address for the time being."""
        return [
            (service, name, known)
            for service, nodes in self._services()
            for name, node in nodes.items()
            for known in node.subscriptions.values()
            if known.address == address and known.options.is_temporary
        ]

    async def has_passing(self) -> bool:
        """Whether anything ends when somebody goes offline."""
        nodes = [node for _, known in self._services() for node in known.values()]
        is_temporary = any(known.options.is_temporary for node in nodes for known in node.subscriptions.values())
        return is_temporary or any(node.config.purge_offline for node in nodes)

    async def publish(self, service: PubsubService, name: str, item: NodeItem) -> list[str]:
        """Add or replace an item and drop the oldest over max_items."""
        node = self._existing(service, name)
        if not node.config.persist_items:
            return []
        is_full = item.id not in node.items and len(node.items) >= node.config.max_items
        if is_full and node.config.when_full is WhenFull.REJECT:
            raise Conflict("node-full")
        node.items.pop(item.id, None)
        node.items[item.id] = item
        node.publications += 1
        node.created.setdefault(item.id, node.publications)
        return _trim(node)

    async def purged_offline(self, service: PubsubService, address: str) -> list[tuple[str, str]]:
        """What an address published for as long as it is there."""
        return [
            (name, item.id)
            for name, node in sorted(self._of(service).items())
            for item in node.items.values()
            if node.config.purge_offline and item.publisher.partition("/")[0] == address
        ]

    async def items(self, service: PubsubService, name: str, query: ItemQuery, since: int = 0) -> ItemPage:
        """A page of items."""
        node = self._of(service).get(name)
        if node is None:
            return ItemPage()
        marks = [
            ItemMark(item.id, place, node.created[item.id], len(item.payload))
            for place, item in enumerate(node.items.values())
            if item.published_at >= since
        ]
        choice = choose(marks, query)
        return ItemPage([node.items[item] for item in choice.ids], choice.first_index, choice.count)

    async def retract(self, service: PubsubService, name: str, ids: Sequence[str]) -> list[str]:
        """Delete items; returns the ids that existed, in the order given."""
        node = self._of(service).get(name)
        return [] if node is None else [item for item in ids if _drop(node, item)]

    async def purge(self, service: PubsubService, name: str) -> int:
        """Delete all items of a node; returns how many."""
        node = self._of(service).get(name)
        return 0 if node is None else sum(_drop(node, item) for item in list(node.items))

    async def expire(self, now: int) -> int:
        """Delete items that are too old; returns how many."""
        count = 0
        for _, nodes in self._all():
            for node in nodes.values():
                oldest = now - node.config.item_expire_s * _SECOND if node.config.item_expire_s else -now
                count += sum(_drop(node, item.id) for item in list(node.items.values()) if item.published_at < oldest)
        return count

    def _services(self) -> Iterator[tuple[PubsubService, dict[str, NodeTable]]]:
        for account_id, table in self._tables.accounts.items():
            yield PubsubService(table.account.address, account_id), table.nodes
        for domain, nodes in self._tables.service_nodes.items():
            yield PubsubService(domain), nodes

    def _all(self) -> Iterator[tuple[int, dict[str, NodeTable]]]:
        for service, nodes in self._services():
            yield service.account_id, nodes

    def _of(self, service: PubsubService) -> dict[str, NodeTable]:
        if not service.is_personal:
            return self._tables.service_nodes.setdefault(service.address, {})
        table = self._tables.accounts.get(service.account_id)
        return {} if table is None else table.nodes

    def _moved(self, service: PubsubService) -> dict[str, str]:
        if not service.is_personal:
            return self._tables.moved_nodes.setdefault(service.address, {})
        table = self._tables.accounts.get(service.account_id)
        return {} if table is None else table.moved_nodes

    def _existing(self, service: PubsubService, name: str) -> NodeTable:
        node = self._of(service).get(name)
        if node is None:
            raise NotFound("node-not-found")
        return node


def _node(service: PubsubService, name: str, table: NodeTable) -> Node:
    return Node(service, name, table.config, table.affiliations, table.creator, table.created_at)


def _is_listed(node: NodeTable, address: str) -> bool:
    word = node.affiliations.get(address, Affiliation.NONE)
    if node.config.access_model is AccessModel.WHITELIST:
        return word in _LISTED
    return word is not Affiliation.OUTCAST


def _drop(node: NodeTable, item_id: str) -> bool:
    node.created.pop(item_id, None)
    return node.items.pop(item_id, None) is not None


def _trim(node: NodeTable) -> list[str]:
    keep = node.config.max_items if node.config.persist_items else 0
    gone = list(node.items)[: max(len(node.items) - keep, 0)]
    for item in gone:
        _drop(node, item)
    return gone
