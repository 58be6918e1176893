"""What is looked up of nodes at every sign-in or publication is found by an index, however many nodes there are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import migrate
from parley.storage.sqlite.sql import sql


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path: Path = tmp_path_factory.mktemp("nodes") / "parley.db"
    opened = database.open_writer(path, is_checked=False)
    migrate(opened, path, 1)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("name", "first_step"),
    [
        ("find", "SEARCH node USING INDEX node_by_name (<expr>=? AND service=? AND name=?)"),
        ("listed", "SEARCH node USING INDEX node_by_name (<expr>=? AND service=? AND name>?)"),
        ("count_created", "SEARCH node USING INDEX node_by_creator (service=? AND creator=?)"),
        ("subscriptions", "SEARCH node_subscription USING PRIMARY KEY (node_id=?)"),
        ("subscriptions_of", "SEARCH node_subscription USING INDEX node_subscription_by_address (address=?)"),
        ("affiliations_of", "SEARCH node_affiliation USING INDEX node_affiliation_by_address (address=?)"),
        ("temporary_subscriptions", "SEARCH node_subscription USING INDEX node_subscription_temporary (address=?)"),
        ("purged_offline", "SEARCH node USING INDEX node_purged_offline (service=?)"),
        ("marks", "SEARCH node_item USING INDEX node_item_by_position (node_id=?)"),
    ],
)
def test_walks(connection: sqlite3.Connection, name: str, first_step: str) -> None:
    statement = sql(f"nodes.{name}")
    named = dict.fromkeys(re.findall(r":([a-z_]+)", statement), 1)
    values: object = named or [1] * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]  # type: ignore[arg-type]
    assert plan[0] == first_step
    assert not any(step.startswith("SCAN") for step in plan)
