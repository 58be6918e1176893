"""What the fifth step of the schema makes of nodes from before there were services."""

from __future__ import annotations

import json
from pathlib import Path

from parley.base.clock import VirtualClock
from parley.domain.pubsub.nodes import AccessModel, Affiliation, Node, NodeConfig, NodeItem, PubsubService
from parley.domain.pubsub.pages import ItemQuery
from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import migrate, migrations
from parley.storage.sqlite.store import SqliteStorage

ALICE = "alice@example.org"
OLD_OPTIONS = {
    "access_model": "whitelist",
    "persist_items": True,
    "max_items": 2,
    "notify_retract": True,
    "notify_delete": True,
    "send_last_published_item": "on_sub_and_presence",
    "roster_groups_allowed": ["Friends"],
    "title": "Notes",
}


def _written_before(path: Path) -> None:
    connection = database.open_writer(path, is_checked=False)
    migrate(connection, path, 1, migrations()[:4])
    connection.execute("INSERT INTO account (id, address, created_at) VALUES (7, ?, 1)", (ALICE,))
    people = {"bob@example.org": "member", "carol@example.org": "outcast"}
    rows = [(3, "urn:x", {**OLD_OPTIONS, "affiliations": people}), (5, "urn:y", OLD_OPTIONS)]
    for node_id, name, options in rows:
        connection.execute("INSERT INTO node VALUES (?, 7, ?, ?)", (node_id, name, json.dumps(options)))
    items = [(11, 3, "1", b"<a/>"), (12, 5, "1", b"<b/>"), (13, 3, "2", b"<c/>")]
    for position, node_id, item_id, payload in items:
        connection.execute(
            "INSERT INTO node_item (position, node_id, id, publisher, published_at, payload) VALUES (?, ?, ?, ?, 9, ?)",
            (position, node_id, item_id, f"{ALICE}/phone", payload),
        )
    connection.close()


async def test_nodes_items_and_affiliations_stay(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    _written_before(path)
    async with SqliteStorage(path, VirtualClock()) as storage:
        service = PubsubService(ALICE, 7)
        config = NodeConfig(AccessModel.WHITELIST, max_items=2, roster_groups_allowed=("Friends",), title="Notes")
        people = {"bob@example.org": Affiliation.MEMBER, "carol@example.org": Affiliation.OUTCAST}
        first, second = await storage.nodes.nodes(service)
        assert first == Node(service, "urn:x", config, people, ALICE)
        assert second == Node(service, "urn:y", config, {}, ALICE)
        page = await storage.nodes.items(service, "urn:x", ItemQuery())
        kept = [NodeItem(name, f"{ALICE}/phone", 9, payload) for name, payload in (("1", b"<a/>"), ("2", b"<c/>"))]
        assert page.items == kept
        # What comes next stands behind them, and the oldest goes.
        await storage.nodes.publish(service, "urn:x", NodeItem("3", ALICE, 10, b"<d/>"))
        page = await storage.nodes.items(service, "urn:x", ItemQuery())
        assert [item.id for item in page.items] == ["2", "3"]
        # They go with their account.
        await storage.accounts.remove(7)
        assert await storage.nodes.nodes(service) == []
        assert (await storage.nodes.items(service, "urn:x", ItemQuery())).count == 0
