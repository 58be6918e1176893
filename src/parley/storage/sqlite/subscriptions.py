"""Subscriptions to nodes on SQLite: the part of `NodeStore` that is about them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from parley.domain.errors import NotFound
from parley.domain.pubsub.nodes import PubsubService, Subscription, SubscriptionOptions, SubscriptionWord
from parley.domain.pubsub.rules import check_subscriptions
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_FIND = sql("nodes.find")
_SUBSCRIPTIONS = sql("nodes.subscriptions")
_PUT = sql("nodes.put_subscription")
_DELETE = sql("nodes.delete_subscription")
_OF = sql("nodes.subscriptions_of")
_TEMPORARY = sql("nodes.temporary_subscriptions")
_PASSING = sql("nodes.has_passing")
_ANY = sql("nodes.has_subscriptions")


class SqliteSubscriptions:
    """Who is subscribed to which node."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def subscriptions(self, service: PubsubService, name: str) -> list[Subscription]:
        """The subscriptions to a node; see the port."""

        def query(connection: sqlite3.Connection) -> list[Subscription]:
            node_id = _node_id(connection, service, name)
            return [] if node_id is None else _all(connection, node_id)

        return await self._readers.run(query)

    async def subscribe(
        self, service: PubsubService, name: str, changes: Sequence[Subscription], limit: int, limit_each: int
    ) -> None:
        """Put and remove subscriptions; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            node_id = _node_id(connection, service, name)
            if node_id is None:
                raise NotFound("node-not-found")
            check_subscriptions(_all(connection, node_id), changes, limit, limit_each)
            for subscription in changes:
                if subscription.state is SubscriptionWord.NONE:
                    connection.execute(_DELETE, (node_id, subscription.jid))
                else:
                    options = json.dumps(asdict(subscription.options), separators=(",", ":"))
                    row = (node_id, subscription.jid, subscription.address, subscription.state.value, options)
                    connection.execute(_PUT, row)

        await self._writer.run(change)

    async def has_subscriptions(self, service: PubsubService) -> bool:
        """Whether anybody is subscribed to any node of a service."""
        account_id, domain = service.key
        values = {"account": account_id, "service": domain}
        return await self._readers.run(lambda connection: connection.execute(_ANY, values).fetchone() is not None)

    async def subscriptions_of(self, service: PubsubService, address: str) -> list[tuple[str, Subscription]]:
        """The subscriptions of an address; see the port."""
        account_id, domain = service.key
        values = {"account": account_id, "service": domain, "address": address}
        rows = await self._readers.run(lambda connection: connection.execute(_OF, values).fetchall())
        return [(row[0], _subscription(row[1:])) for row in rows]

    async def temporary_subscriptions(self, address: str) -> list[tuple[PubsubService, str, Subscription]]:
        """The subscriptions of an address for the time being; see the port."""
        rows = await self._readers.run(lambda connection: connection.execute(_TEMPORARY, (address,)).fetchall())
        return [(PubsubService(at, account_id), name, _subscription(rest)) for account_id, at, name, *rest in rows]

    async def has_passing(self) -> bool:
        """Whether anything ends when somebody goes offline; see the port."""
        return await self._readers.run(lambda connection: connection.execute(_PASSING).fetchone()[0] == 1)


def _node_id(connection: sqlite3.Connection, service: PubsubService, name: str) -> int | None:
    account_id, domain = service.key
    row = connection.execute(_FIND, {"account": account_id, "service": domain, "name": name}).fetchone()
    return None if row is None else int(row[0])


def _all(connection: sqlite3.Connection, node_id: int) -> list[Subscription]:
    return [_subscription(row) for row in connection.execute(_SUBSCRIPTIONS, (node_id,))]


def _subscription(row: Sequence[str]) -> Subscription:
    jid, state, text = row
    options = json.loads(text)
    options["shows"] = tuple(options["shows"])
    return Subscription(jid, SubscriptionWord(state), SubscriptionOptions(**options))
