from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from parley.domain.errors import Conflict, LimitReached, NotFound
from parley.domain.pubsub.nodes import AccessModel, Affiliation, Node, NodeConfig, NodeItem

from ..people import ALICE, BOB, CAROL, AnyStorage, two_people
from .machines import MEMORY, SQLITE, StorageMachine

LIMIT = 3
names = st.sampled_from(["urn:a", "urn:b", "urn:c", "urn:d"])
item_ids = st.sampled_from(["current", "1", "2", "3", "ü"])
items = st.builds(NodeItem, item_ids, st.sampled_from([ALICE, "b@x/y"]), st.integers(0, 9), st.binary(max_size=4))
configs = st.builds(
    NodeConfig,
    access_model=st.sampled_from(AccessModel),
    persist_items=st.booleans(),
    max_items=st.integers(0, 3),
    roster_groups_allowed=st.lists(st.text(max_size=2), max_size=2).map(tuple),
    title=st.text(max_size=3),
)


def _item(name: str) -> NodeItem:
    return NodeItem(name, ALICE, 1, b"<x/>")


async def test_a_node_is_created_once(storage: AnyStorage) -> None:
    alice, bob = await two_people(storage)
    config = NodeConfig(AccessModel.WHITELIST, max_items=5, roster_groups_allowed=("a", "b"), title="T")
    assert await storage.nodes.create(alice, "urn:x", config, 2) == Node(alice, "urn:x", config)
    assert await storage.nodes.node(alice, "urn:x") == Node(alice, "urn:x", config)
    assert await storage.nodes.node(bob, "urn:x") is None
    with pytest.raises(Conflict) as doubled:
        await storage.nodes.create(alice, "urn:x", NodeConfig(), 2)
    assert doubled.value.code == "node-exists"
    await storage.nodes.create(alice, "urn:a", NodeConfig(), 2)
    with pytest.raises(LimitReached) as full:
        await storage.nodes.create(alice, "urn:b", NodeConfig(), 2)
    assert full.value.code == "too-many-nodes"
    assert [node.name for node in await storage.nodes.nodes(alice)] == ["urn:a", "urn:x"]


async def test_an_item_published_again_is_the_newest(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.nodes.create(alice, "urn:x", NodeConfig(max_items=3), 10)
    for name in ("1", "2", "3", "1", "4"):
        await storage.nodes.publish(alice, "urn:x", _item(name))
    assert await storage.nodes.items(alice, "urn:x", None) == [_item("3"), _item("1"), _item("4")]
    assert await storage.nodes.items(alice, "urn:x", 2) == [_item("1"), _item("4")]
    assert await storage.nodes.items(alice, "urn:x", 1, ["4", "nothing", "3"]) == [_item("3"), _item("4")]
    assert await storage.nodes.retract(alice, "urn:x", ["4", "nothing", "3"]) == ["4", "3"]
    assert await storage.nodes.items(alice, "urn:x", None) == [_item("1")]


async def test_unknown_nodes(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    for change in (
        storage.nodes.publish(alice, "urn:x", _item("1")),
        storage.nodes.configure(alice, "urn:x", NodeConfig()),
    ):
        with pytest.raises(NotFound) as refused:
            await change
        assert refused.value.code == "node-not-found"
    assert await storage.nodes.items(alice, "urn:x", None) == []
    assert await storage.nodes.retract(alice, "urn:x", ["1"]) == []
    assert await storage.nodes.purge(alice, "urn:x") == 0
    assert await storage.nodes.delete(alice, "urn:x") is False


async def test_what_people_are_to_a_node(storage: AnyStorage) -> None:
    alice, _ = await two_people(storage)
    await storage.nodes.create(alice, "urn:x", NodeConfig(), 10)
    await storage.nodes.affiliate(alice, "urn:x", {BOB: Affiliation.MEMBER, CAROL: Affiliation.OUTCAST}, 2)
    both = {BOB: Affiliation.MEMBER, CAROL: Affiliation.OUTCAST}
    assert await storage.nodes.node(alice, "urn:x") == Node(alice, "urn:x", NodeConfig(), both)
    with pytest.raises(LimitReached) as full:
        await storage.nodes.affiliate(alice, "urn:x", {"d@x": Affiliation.MEMBER}, 2)
    assert full.value.code == "too-many-affiliations"
    # One that has too many already can still be changed and shrink.
    await storage.nodes.affiliate(alice, "urn:x", {BOB: Affiliation.OUTCAST}, 1)
    await storage.nodes.configure(alice, "urn:x", NodeConfig(title="T"))
    await storage.nodes.affiliate(alice, "urn:x", {CAROL: Affiliation.NONE, "d@x": Affiliation.NONE}, 1)
    changed = Node(alice, "urn:x", NodeConfig(title="T"), {BOB: Affiliation.OUTCAST})
    assert await storage.nodes.nodes(alice) == [changed]
    with pytest.raises(NotFound):
        await storage.nodes.affiliate(alice, "urn:y", {BOB: Affiliation.MEMBER}, 1)
    # A node that comes anew starts with nobody.
    await storage.nodes.delete(alice, "urn:x")
    assert await storage.nodes.create(alice, "urn:x", NodeConfig(), 10) == Node(alice, "urn:x", NodeConfig())
    assert await storage.nodes.node(alice, "urn:x") == Node(alice, "urn:x", NodeConfig())


@pytest.mark.parametrize("gone", [BOB, "back\\\\20slash@example.org", "jürgen@example.org"])
async def test_of_an_address_that_goes_nothing_is_left_at_any_node(storage: AnyStorage, gone: str) -> None:
    alice, bob = await two_people(storage)
    stays = {CAROL: Affiliation.MEMBER, f"x{gone}": Affiliation.MEMBER}
    for account_id, name in ((alice, "urn:x"), (alice, "urn:y"), (bob, "urn:x")):
        await storage.nodes.create(account_id, name, NodeConfig(title=gone), 10)
        await storage.nodes.affiliate(account_id, name, stays, 10)
    await storage.nodes.affiliate(alice, "urn:x", {gone: Affiliation.MEMBER}, 10)
    await storage.nodes.affiliate(alice, "urn:y", {gone: Affiliation.OUTCAST}, 10)
    assert await storage.nodes.disaffiliate(gone) == [alice]
    left = [*await storage.nodes.nodes(alice), *await storage.nodes.nodes(bob)]
    assert [node.affiliations for node in left] == [stays] * 3
    assert [node.config for node in left] == [NodeConfig(title=gone)] * 3
    assert await storage.nodes.disaffiliate(gone) == []


class NodeMachine(StorageMachine):
    """Against dictionaries in the order of publication."""

    def __init__(self) -> None:
        super().__init__()
        self.account_id = 0
        self.configs: dict[str, NodeConfig] = {}
        self.items: dict[str, dict[str, NodeItem]] = {}

    @initialize()
    def add_person(self) -> None:
        self.account_id = self.run(self.storage.accounts.add(ALICE, [], 1)).id

    @rule(name=names, config=configs)
    def create(self, name: str, config: NodeConfig) -> None:
        expected = Conflict if name in self.configs else LimitReached if len(self.configs) >= LIMIT else None
        creating = self.storage.nodes.create(self.account_id, name, config, LIMIT)
        if expected is not None:
            with pytest.raises(expected):
                self.run(creating)
            return
        self.run(creating)
        self.configs[name] = config
        self.items[name] = {}

    @rule(name=names, config=configs)
    def configure(self, name: str, config: NodeConfig) -> None:
        try:
            self.run(self.storage.nodes.configure(self.account_id, name, config))
        except NotFound:
            assert name not in self.configs
        else:
            self.configs[name] = config
            self._trim(name)

    @rule(name=names, item=items)
    def publish(self, name: str, item: NodeItem) -> None:
        try:
            self.run(self.storage.nodes.publish(self.account_id, name, item))
        except NotFound:
            assert name not in self.configs
        else:
            self.items[name].pop(item.id, None)
            self.items[name][item.id] = item
            self._trim(name)

    @rule(name=names, ids=st.lists(item_ids, max_size=3))
    def retract(self, name: str, ids: list[str]) -> None:
        mine = self.items.get(name, {})
        expected = [item for item in ids if mine.pop(item, None) is not None]
        assert self.run(self.storage.nodes.retract(self.account_id, name, ids)) == expected

    @rule(name=names)
    def purge(self, name: str) -> None:
        mine = self.items.get(name, {})
        assert self.run(self.storage.nodes.purge(self.account_id, name)) == len(mine)
        mine.clear()

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.items.pop(name, None)
        existed = self.configs.pop(name, None) is not None
        assert self.run(self.storage.nodes.delete(self.account_id, name)) is existed

    @rule(name=names, limit=st.integers(0, 4))
    def newest(self, name: str, limit: int) -> None:
        mine = list(self.items.get(name, {}).values())
        assert self.run(self.storage.nodes.items(self.account_id, name, limit)) == mine[max(len(mine) - limit, 0) :]

    @rule(name=names, ids=st.lists(item_ids, min_size=1, max_size=3))
    def named(self, name: str, ids: list[str]) -> None:
        mine = [item for item in self.items.get(name, {}).values() if item.id in ids]
        assert self.run(self.storage.nodes.items(self.account_id, name, None, ids)) == mine

    @invariant()
    def all_is_there(self) -> None:
        nodes = self.run(self.storage.nodes.nodes(self.account_id))
        assert nodes == [Node(self.account_id, name, self.configs[name]) for name in sorted(self.configs)]
        for name, mine in self.items.items():
            assert self.run(self.storage.nodes.items(self.account_id, name, None)) == list(mine.values())

    def _trim(self, name: str) -> None:
        config = self.configs[name]
        keep = config.max_items if config.persist_items else 0
        mine = self.items[name]
        for item in list(mine)[: max(len(mine) - keep, 0)]:
            del mine[item]


class MemoryMachine(NodeMachine):
    kind = "memory"


class SqliteMachine(NodeMachine):
    kind = "sqlite"


TestMemoryNodes = MemoryMachine.TestCase
TestMemoryNodes.settings = MEMORY
TestSqliteNodes = SqliteMachine.TestCase
TestSqliteNodes.settings = SQLITE
