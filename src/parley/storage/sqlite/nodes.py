"""`NodeStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    ItemReply,
    Node,
    NodeConfig,
    NodeItem,
    PublishModel,
    PubsubService,
    SendLast,
    WhenFull,
)
from parley.domain.pubsub.pages import ItemMark, ItemPage, ItemQuery, choose
from parley.domain.pubsub.ports import ListedNode
from parley.domain.pubsub.rules import affiliated
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.subscriptions import SqliteSubscriptions
from parley.storage.sqlite.writer import Writer

_ALL = sql("nodes.all")
_FIND = sql("nodes.find")
_LISTED = sql("nodes.listed")
_COUNT = sql("nodes.count")
_COUNT_CREATED = sql("nodes.count_created")
_CREATE = sql("nodes.create")
_CONFIGURE = sql("nodes.configure")
_DELETE = sql("nodes.delete")
_MOVE = sql("nodes.move")
_MOVED = sql("nodes.moved")
_UNMOVE = sql("nodes.unmove")
_TRIM_MOVED = sql("nodes.trim_moved")
_AFFILIATIONS = sql("nodes.affiliations")
_PUT_AFFILIATION = sql("nodes.put_affiliation")
_DELETE_AFFILIATION = sql("nodes.delete_affiliation")
_AFFILIATIONS_OF = sql("nodes.affiliations_of")
_NAMING = sql("nodes.naming")
_FORGET_AFFILIATIONS = sql("nodes.forget_affiliations")
_FORGET_SUBSCRIPTIONS = sql("nodes.forget_subscriptions")
_DELETE_OWNERLESS = sql("nodes.delete_ownerless")
_ADD_ITEM = sql("nodes.add_item")
_STAMP_ITEM = sql("nodes.stamp_item")
_CREATED = sql("nodes.created")
_DELETE_ITEM = sql("nodes.delete_item")
_TRIM = sql("nodes.trim")
_MARKS = sql("nodes.marks")
_ITEM = sql("nodes.item")
_COUNT_ITEMS = sql("nodes.count_items")
_PURGED_OFFLINE = sql("nodes.purged_offline")
_PURGE = sql("nodes.purge")
_EXPIRING = sql("nodes.expiring")
_EXPIRE = sql("nodes.expire")

_MOVED_KEPT: Final = 1000
_SECOND: Final = 1_000_000


class _Found(NamedTuple):
    id: int
    config: NodeConfig


class SqliteNodes(SqliteSubscriptions):
    """Nodes of accounts and of services."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._writer = writer
        self._readers = readers

    async def nodes(self, service: PubsubService) -> list[Node]:
        """All nodes of a service, by name."""

        def query(connection: sqlite3.Connection) -> list[Node]:
            rows = connection.execute(_ALL, _place(service)).fetchall()
            return [_node(connection, service, row) for row in rows]

        return await self._readers.run(query)

    async def node(self, service: PubsubService, name: str) -> Node | None:
        """One node."""

        def query(connection: sqlite3.Connection) -> Node | None:
            row = connection.execute(_FIND, _named(service, name)).fetchone()
            return None if row is None else _node(connection, service, row)

        return await self._readers.run(query)

    async def listed(self, service: PubsubService, address: str, after: str, limit: int) -> list[ListedNode]:
        """Nodes that an address may know of; see the port."""
        values = {**_place(service), "address": address, "after": after, "limit": limit}
        rows = await self._readers.run(lambda connection: connection.execute(_LISTED, values).fetchall())
        return [ListedNode(*row) for row in rows]

    async def create(self, node: Node, limit: int) -> Node:
        """Store a new node; see the port. Raises NotFound("account-not-found")."""

        def change(connection: sqlite3.Connection) -> Node:
            account_id, domain = node.service.key
            if _find(connection, node.service, node.name) is not None:
                raise Conflict("node-exists")
            if _count(connection, node) >= limit:
                raise LimitReached("too-many-nodes")
            row = (account_id or None, domain, node.name, node.creator, node.created_at, _text(node.config))
            node_id = connection.execute(_CREATE, row).lastrowid or 0
            _put_affiliations(connection, node_id, node.affiliations)
            connection.execute(_UNMOVE, _named(node.service, node.name))
            return node

        return await self._writer.run(change)

    async def configure(self, service: PubsubService, name: str, config: NodeConfig) -> None:
        """Replace the options and drop the items over them; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id = _existing(connection, service, name).id
            connection.execute(_CONFIGURE, (_text(config), node_id))
            _trim(connection, node_id, config)

        await self._writer.run(change)

    async def delete(self, service: PubsubService, name: str, moved_to: str = "") -> bool:
        """Delete the node; see the port."""

        def change(connection: sqlite3.Connection) -> bool:
            if connection.execute(_DELETE, _named(service, name)).rowcount == 0:
                return False
            if moved_to:
                account_id, domain = service.key
                connection.execute(_MOVE, (account_id or None, domain, name, moved_to))
                connection.execute(_TRIM_MOVED, {**_place(service), "keep": _MOVED_KEPT})
            return True

        return await self._writer.run(change)

    async def moved(self, service: PubsubService, name: str) -> str:
        """Where a deleted node went; see the port."""
        values = _named(service, name)
        row = await self._readers.run(lambda connection: connection.execute(_MOVED, values).fetchone())
        return "" if row is None else str(row[0])

    async def affiliate(
        self, service: PubsubService, name: str, changes: Mapping[str, Affiliation], limit: int
    ) -> None:
        """Change what addresses are to a node; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id = _existing(connection, service, name).id
            affiliated(_affiliations(connection, node_id), changes, limit)
            _put_affiliations(connection, node_id, changes)

        await self._writer.run(change)

    async def affiliations_of(self, service: PubsubService, address: str) -> list[tuple[str, Affiliation]]:
        """What an address is to the nodes of a service."""
        values = {**_place(service), "address": address}
        rows = await self._readers.run(lambda connection: connection.execute(_AFFILIATIONS_OF, values).fetchall())
        return [(name, Affiliation(word)) for name, word in rows]

    async def disaffiliate(self, address: str) -> list[int]:
        """Forget an address at all nodes; see the port."""

        def change(connection: sqlite3.Connection) -> list[int]:
            named = connection.execute(_NAMING, {"address": address}).fetchall()
            connection.execute(_FORGET_AFFILIATIONS, (address,))
            connection.execute(_FORGET_SUBSCRIPTIONS, (address,))
            connection.executemany(_DELETE_OWNERLESS, [{"id": node_id} for node_id, _ in named])
            return sorted({account_id for _, account_id in named})

        return await self._writer.run(change)

    async def publish(self, service: PubsubService, name: str, item: NodeItem) -> list[str]:
        """Add or replace an item; see the port."""

        def change(connection: sqlite3.Connection) -> list[str]:
            node_id, config = _existing(connection, service, name)
            if not config.persist_items:
                return []
            known = connection.execute(_CREATED, (node_id, item.id)).fetchone()
            if known is None and config.when_full is WhenFull.REJECT and _is_full(connection, node_id, config):
                raise Conflict("node-full")
            connection.execute(_DELETE_ITEM, (node_id, item.id))
            created = 0 if known is None else known[0]
            row = (node_id, item.id, created, item.publisher, item.published_at, item.payload)
            position = connection.execute(_ADD_ITEM, row).lastrowid
            if known is None:
                connection.execute(_STAMP_ITEM, (position,))
            return _trim(connection, node_id, config)

        return await self._writer.run(change)

    async def purged_offline(self, service: PubsubService, address: str) -> list[tuple[str, str]]:
        """What an address published for as long as it is there; see the port."""
        values = {**_place(service), "address": address}
        rows = await self._readers.run(lambda connection: connection.execute(_PURGED_OFFLINE, values).fetchall())
        return [(name, item_id) for name, item_id in rows]

    async def items(self, service: PubsubService, name: str, query: ItemQuery, since: int = 0) -> ItemPage:
        """A page of items; see the port."""

        def read(connection: sqlite3.Connection) -> ItemPage:
            found = _find(connection, service, name)
            if found is None:
                return ItemPage()
            marks = [ItemMark(*row) for row in connection.execute(_MARKS, (found.id, since))]
            choice = choose(marks, query)
            rows = [connection.execute(_ITEM, (found.id, item)).fetchone() for item in choice.ids]
            return ItemPage([NodeItem(*row) for row in rows], choice.first_index, choice.count)

        return await self._readers.run(read)

    async def retract(self, service: PubsubService, name: str, ids: Sequence[str]) -> list[str]:
        """Delete items; returns the ids that existed, in the order given."""

        def change(connection: sqlite3.Connection) -> list[str]:
            found = _find(connection, service, name)
            if found is None:
                return []
            return [item for item in ids if connection.execute(_DELETE_ITEM, (found.id, item)).rowcount > 0]

        return await self._writer.run(change)

    async def purge(self, service: PubsubService, name: str) -> int:
        """Delete all items of a node; returns how many."""

        def change(connection: sqlite3.Connection) -> int:
            found = _find(connection, service, name)
            return 0 if found is None else connection.execute(_PURGE, (found.id,)).rowcount

        return await self._writer.run(change)

    async def expire(self, now: int) -> int:
        """Delete items that are too old; see the port."""
        # The search reads every node there is, so it does not keep the writer waiting.
        rows = await self._readers.run(lambda connection: connection.execute(_EXPIRING).fetchall())
        due = [(node_id, now - seconds * _SECOND) for node_id, seconds in rows]
        if not due:
            return 0
        return await self._writer.run(lambda connection: sum(connection.execute(_EXPIRE, row).rowcount for row in due))


def _place(service: PubsubService) -> dict[str, int | str]:
    account_id, domain = service.key
    return {"account": account_id, "service": domain}


def _named(service: PubsubService, name: str) -> dict[str, int | str]:
    return {**_place(service), "name": name}


def _node(connection: sqlite3.Connection, service: PubsubService, row: tuple[int, str, str, int, str]) -> Node:
    node_id, name, creator, created_at, config = row
    return Node(service, name, _config(config), _affiliations(connection, node_id), creator, created_at)


def _affiliations(connection: sqlite3.Connection, node_id: int) -> dict[str, Affiliation]:
    return {address: Affiliation(word) for address, word in connection.execute(_AFFILIATIONS, (node_id,))}


def _find(connection: sqlite3.Connection, service: PubsubService, name: str) -> _Found | None:
    row = connection.execute(_FIND, _named(service, name)).fetchone()
    return None if row is None else _Found(row[0], _config(row[4]))


def _existing(connection: sqlite3.Connection, service: PubsubService, name: str) -> _Found:
    found = _find(connection, service, name)
    if found is None:
        raise NotFound("node-not-found")
    return found


def _count(connection: sqlite3.Connection, node: Node) -> int:
    if node.service.is_personal:
        row = connection.execute(_COUNT, _place(node.service)).fetchone()
    else:
        row = connection.execute(_COUNT_CREATED, (node.service.address, node.creator)).fetchone()
    return int(row[0])


def _put_affiliations(connection: sqlite3.Connection, node_id: int, changes: Mapping[str, Affiliation]) -> None:
    for address, word in changes.items():
        if word is Affiliation.NONE:
            connection.execute(_DELETE_AFFILIATION, (node_id, address))
        else:
            connection.execute(_PUT_AFFILIATION, (node_id, address, word.value))


def _trim(connection: sqlite3.Connection, node_id: int, config: NodeConfig) -> list[str]:
    keep = config.max_items if config.persist_items else 0
    return [item_id for (item_id,) in connection.execute(_TRIM, {"node": node_id, "keep": keep})]


def _is_full(connection: sqlite3.Connection, node_id: int, config: NodeConfig) -> bool:
    (count,) = connection.execute(_COUNT_ITEMS, (node_id,)).fetchone()
    return int(count) >= config.max_items


def _text(config: NodeConfig) -> str:
    return json.dumps(asdict(config), ensure_ascii=False, separators=(",", ":"))


def _config(text: str) -> NodeConfig:
    values = json.loads(text)
    values["access_model"] = AccessModel(values["access_model"])
    # Nodes from before there were services lack some of the options.
    if "publish_model" in values:
        values["publish_model"] = PublishModel(values["publish_model"])
    if "item_reply" in values:
        values["item_reply"] = ItemReply(values["item_reply"])
        values["when_full"] = WhenFull(values["when_full"])
    values["send_last_published_item"] = SendLast(values["send_last_published_item"])
    for name in ("roster_groups_allowed", "contact"):
        values[name] = tuple(values.get(name, ()))
    return NodeConfig(**values)
