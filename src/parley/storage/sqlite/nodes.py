"""`NodeStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.nodes import AccessModel, Affiliation, Node, NodeConfig, NodeItem, affiliated
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ALL = sql("nodes.all")
_FIND = sql("nodes.find")
_BY_ID = sql("nodes.by_id")
_NAMING = sql("nodes.naming")
_COUNT = sql("nodes.count")
_CREATE = sql("nodes.create")
_CONFIGURE = sql("nodes.configure")
_DELETE = sql("nodes.delete")
_ADD_ITEM = sql("nodes.add_item")
_DELETE_ITEM = sql("nodes.delete_item")
_TRIM = sql("nodes.trim")
_NEWEST_ITEMS = sql("nodes.newest_items")
_ITEM = sql("nodes.item")
_PURGE = sql("nodes.purge")
# Beside the options in the one JSON object of a node; nodes from before there were any lack it.
_AFFILIATIONS = "affiliations"


class SqliteNodes:
    """Personal event nodes."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def nodes(self, account_id: int) -> list[Node]:
        """All nodes of an account, by name."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL, (account_id,)).fetchall())
        return [_node(row[0], row[1], row[2]) for row in rows]

    async def node(self, account_id: int, name: str) -> Node | None:
        """One node."""
        found = await self._readers.run(lambda connection: _find(connection, account_id, name))
        return None if found is None else found[1]

    async def create(self, account_id: int, name: str, config: NodeConfig, limit: int) -> Node:
        """Create a node; see the port. Raises NotFound("account-not-found")."""

        def change(connection: sqlite3.Connection) -> Node:
            if _find(connection, account_id, name) is not None:
                raise Conflict("node-exists")
            (count,) = connection.execute(_COUNT, (account_id,)).fetchone()
            if count >= limit:
                raise LimitReached("too-many-nodes")
            connection.execute(_CREATE, (account_id, name, _text(config, {})))
            return Node(account_id, name, config)

        return await self._writer.run(change)

    async def configure(self, account_id: int, name: str, config: NodeConfig) -> None:
        """Replace the options and drop the items over them; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id, known = _existing(connection, account_id, name)
            connection.execute(_CONFIGURE, (_text(config, known.affiliations), node_id))
            _trim(connection, node_id, config)

        await self._writer.run(change)

    async def affiliate(self, account_id: int, name: str, changes: Mapping[str, Affiliation], limit: int) -> None:
        """Change what addresses are to a node; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id, known = _existing(connection, account_id, name)
            affiliations = affiliated(known.affiliations, changes, limit)
            connection.execute(_CONFIGURE, (_text(known.config, affiliations), node_id))

        await self._writer.run(change)

    async def disaffiliate(self, address: str) -> list[int]:
        """Forget what an address is to anybody's nodes; see the port."""
        # The search reads every node there is, so it does not keep the writer waiting.
        rows = await self._readers.run(lambda connection: connection.execute(_NAMING, (address,)).fetchall())
        return await self._writer.run(lambda connection: _disaffiliate(connection, [row[0] for row in rows], address))

    async def publish(self, account_id: int, name: str, item: NodeItem) -> None:
        """Add or replace an item; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id, node = _existing(connection, account_id, name)
            config = node.config
            if not config.persist_items:
                return
            connection.execute(_DELETE_ITEM, (node_id, item.id))
            connection.execute(_ADD_ITEM, (node_id, item.id, item.publisher, item.published_at, item.payload))
            _trim(connection, node_id, config)

        await self._writer.run(change)

    async def items(self, account_id: int, name: str, limit: int | None, ids: Sequence[str] = ()) -> list[NodeItem]:
        """The newest `limit` items, oldest first, or those with the given ids; see the port."""

        def query(connection: sqlite3.Connection) -> list[NodeItem]:
            found = _find(connection, account_id, name)
            if found is None:
                return []
            if ids:
                return _items_by_id(connection, found[0], ids)
            newest = connection.execute(_NEWEST_ITEMS, (found[0], -1 if limit is None else limit)).fetchall()
            return [NodeItem(*row) for row in reversed(newest)]

        return await self._readers.run(query)

    async def retract(self, account_id: int, name: str, ids: Sequence[str]) -> list[str]:
        """Delete items; returns the ids that existed, in the order given."""

        def change(connection: sqlite3.Connection) -> list[str]:
            found = _find(connection, account_id, name)
            if found is None:
                return []
            return [item for item in ids if connection.execute(_DELETE_ITEM, (found[0], item)).rowcount > 0]

        return await self._writer.run(change)

    async def purge(self, account_id: int, name: str) -> int:
        """Delete all items of a node; returns how many."""

        def change(connection: sqlite3.Connection) -> int:
            found = _find(connection, account_id, name)
            return 0 if found is None else connection.execute(_PURGE, (found[0],)).rowcount

        return await self._writer.run(change)

    async def delete(self, account_id: int, name: str) -> bool:
        """Delete the node; False if there was none."""
        return await self._writer.run(lambda connection: connection.execute(_DELETE, (account_id, name)).rowcount > 0)


def _find(connection: sqlite3.Connection, account_id: int, name: str) -> tuple[int, Node] | None:
    row = connection.execute(_FIND, (account_id, name)).fetchone()
    return None if row is None else (row[0], _node(account_id, name, row[1]))


def _existing(connection: sqlite3.Connection, account_id: int, name: str) -> tuple[int, Node]:
    found = _find(connection, account_id, name)
    if found is None:
        raise NotFound("node-not-found")
    return found


def _disaffiliate(connection: sqlite3.Connection, node_ids: Sequence[int], address: str) -> list[int]:
    changed = set()
    for node_id in node_ids:
        row = connection.execute(_BY_ID, (node_id,)).fetchone()
        known = None if row is None else _node(*row)
        if known is not None and address in known.affiliations:
            affiliations = {key: word for key, word in known.affiliations.items() if key != address}
            connection.execute(_CONFIGURE, (_text(known.config, affiliations), node_id))
            changed.add(known.account_id)
    return sorted(changed)


def _items_by_id(connection: sqlite3.Connection, node_id: int, ids: Sequence[str]) -> list[NodeItem]:
    rows = [connection.execute(_ITEM, (node_id, item)).fetchone() for item in dict.fromkeys(ids)]
    return [NodeItem(*row[1:]) for row in sorted(row for row in rows if row is not None)]


def _trim(connection: sqlite3.Connection, node_id: int, config: NodeConfig) -> None:
    keep = config.max_items if config.persist_items else 0
    connection.execute(_TRIM, {"node": node_id, "keep": keep})


def _text(config: NodeConfig, affiliations: Mapping[str, Affiliation]) -> str:
    values = {**asdict(config), _AFFILIATIONS: dict(affiliations)}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _node(account_id: int, name: str, text: str) -> Node:
    values = json.loads(text)
    affiliations = {address: Affiliation(word) for address, word in values.pop(_AFFILIATIONS, {}).items()}
    values["access_model"] = AccessModel(values["access_model"])
    values["roster_groups_allowed"] = tuple(values["roster_groups_allowed"])
    return Node(account_id, name, NodeConfig(**values), affiliations)
