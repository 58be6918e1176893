"""Personal event nodes in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.nodes import Affiliation, Node, NodeConfig, NodeItem, affiliated
from parley.storage.memory.state import NodeTable, Tables


class MemoryNodes:
    """Personal event nodes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def nodes(self, account_id: int) -> list[Node]:
        """All nodes of an account, by name."""
        nodes = self._of(account_id)
        return [_node(account_id, name, nodes[name]) for name in sorted(nodes)]

    async def node(self, account_id: int, name: str) -> Node | None:
        """One node."""
        found = self._of(account_id).get(name)
        return None if found is None else _node(account_id, name, found)

    async def create(self, account_id: int, name: str, config: NodeConfig, limit: int) -> Node:
        """Create a node."""
        nodes = self._of(account_id)
        if name in nodes:
            raise Conflict("node-exists")
        if len(nodes) >= limit:
            raise LimitReached("too-many-nodes")
        self._tables.account(account_id).nodes[name] = NodeTable(config)
        return Node(account_id, name, config)

    async def configure(self, account_id: int, name: str, config: NodeConfig) -> None:
        """Replace the options and drop the items over them."""
        node = self._existing(account_id, name)
        node.config = config
        _trim(node)

    async def affiliate(self, account_id: int, name: str, changes: Mapping[str, Affiliation], limit: int) -> None:
        """Change what addresses are to a node."""
        node = self._existing(account_id, name)
        node.affiliations = affiliated(node.affiliations, changes, limit)

    async def disaffiliate(self, address: str) -> list[int]:
        """Forget what an address is to anybody's nodes; returns the ids of the accounts whose nodes changed."""
        changed = []
        for account_id, table in self._tables.accounts.items():
            nodes = [node for node in table.nodes.values() if address in node.affiliations]
            for node in nodes:
                node.affiliations = {key: word for key, word in node.affiliations.items() if key != address}
            if nodes:
                changed.append(account_id)
        return changed

    async def publish(self, account_id: int, name: str, item: NodeItem) -> None:
        """Add or replace an item and drop the oldest over max_items."""
        node = self._existing(account_id, name)
        if node.config.persist_items:
            node.items.pop(item.id, None)
            node.items[item.id] = item
            _trim(node)

    async def items(self, account_id: int, name: str, limit: int | None, ids: Sequence[str] = ()) -> list[NodeItem]:
        """The newest `limit` items, oldest first, or those with the given ids."""
        node = self._of(account_id).get(name)
        items = [] if node is None else list(node.items.values())
        if ids:
            return [item for item in items if item.id in ids]
        return items if limit is None else items[max(len(items) - limit, 0) :]

    async def retract(self, account_id: int, name: str, ids: Sequence[str]) -> list[str]:
        """Delete items; returns the ids that existed, in the order given."""
        node = self._of(account_id).get(name)
        return [] if node is None else [item for item in ids if node.items.pop(item, None) is not None]

    async def purge(self, account_id: int, name: str) -> int:
        """Delete all items of a node; returns how many."""
        node = self._of(account_id).get(name)
        if node is None:
            return 0
        count = len(node.items)
        node.items.clear()
        return count

    async def delete(self, account_id: int, name: str) -> bool:
        """Delete the node; False if there was none."""
        return self._of(account_id).pop(name, None) is not None

    def _of(self, account_id: int) -> dict[str, NodeTable]:
        table = self._tables.accounts.get(account_id)
        return {} if table is None else table.nodes

    def _existing(self, account_id: int, name: str) -> NodeTable:
        node = self._of(account_id).get(name)
        if node is None:
            raise NotFound("node-not-found")
        return node


def _node(account_id: int, name: str, table: NodeTable) -> Node:
    return Node(account_id, name, table.config, table.affiliations)


def _trim(node: NodeTable) -> None:
    keep = node.config.max_items if node.config.persist_items else 0
    for item in list(node.items)[: max(len(node.items) - keep, 0)]:
        del node.items[item]
