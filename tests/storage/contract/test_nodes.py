from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

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
    Subscription,
    SubscriptionOptions,
    SubscriptionWord,
    WhenFull,
)
from parley.domain.pubsub.pages import ItemPage, ItemQuery

from ..people import ALICE, BOB, CAROL, AnyStorage, two_people
from .machines import MEMORY, SQLITE, StorageMachine

LIMIT = 3
ALL = ItemQuery()
NEWS = PubsubService("pubsub.example.org")
OTHER = PubsubService("pubsub.example.net")
names = st.sampled_from(["urn:a", "urn:b", "urn:c", "urn:d"])
item_ids = st.sampled_from(["current", "1", "2", "3", "ü"])
items = st.builds(NodeItem, item_ids, st.sampled_from([ALICE, "b@x/y"]), st.integers(0, 9), st.binary(max_size=4))
configs = st.builds(
    NodeConfig,
    access_model=st.sampled_from(AccessModel),
    publish_model=st.sampled_from(PublishModel),
    send_last_published_item=st.sampled_from(SendLast),
    item_reply=st.sampled_from(ItemReply),
    when_full=st.sampled_from(WhenFull),
    purge_offline=st.booleans(),
    persist_items=st.booleans(),
    max_items=st.integers(0, 3),
    item_expire_s=st.integers(0, 3),
    roster_groups_allowed=st.lists(st.text(max_size=2), max_size=2).map(tuple),
    contact=st.lists(st.text(max_size=2), max_size=2).map(tuple),
    title=st.text(max_size=3),
)


def _item(name: str, at: int = 1) -> NodeItem:
    return NodeItem(name, ALICE, at, b"<x/>")


def _news(name: str, owner: str = ALICE, config: NodeConfig | None = None) -> Node:
    return Node(NEWS, name, config or NodeConfig(max_items=9), {owner: Affiliation.OWNER}, owner, 7)


async def alices(storage: AnyStorage) -> tuple[PubsubService, PubsubService]:
    """The accounts of alice and bob as services."""
    alice, bob = await two_people(storage)
    return PubsubService(ALICE, alice), PubsubService(BOB, bob)


async def ids(storage: AnyStorage, service: PubsubService, name: str, query: ItemQuery = ALL, since: int = 0) -> str:
    page = await storage.nodes.items(service, name, query, since)
    return "".join(item.id for item in page.items)


async def test_a_node_is_created_once(storage: AnyStorage) -> None:
    alice, bob = await alices(storage)
    config = NodeConfig(AccessModel.WHITELIST, max_items=5, roster_groups_allowed=("a", "b"), title="T")
    node = Node(alice, "urn:x", config, {}, ALICE, 5)
    assert await storage.nodes.create(node, 2) == node
    assert await storage.nodes.node(alice, "urn:x") == node
    assert await storage.nodes.node(bob, "urn:x") is None
    assert await storage.nodes.node(NEWS, "urn:x") is None
    with pytest.raises(Conflict) as doubled:
        await storage.nodes.create(node, 2)
    assert doubled.value.code == "node-exists"
    await storage.nodes.create(Node(alice, "urn:a", NodeConfig()), 2)
    with pytest.raises(LimitReached) as full:
        await storage.nodes.create(Node(alice, "urn:b", NodeConfig()), 2)
    assert full.value.code == "too-many-nodes"
    assert [node.name for node in await storage.nodes.nodes(alice)] == ["urn:a", "urn:x"]


async def test_at_a_service_the_limit_is_what_one_has_created(storage: AnyStorage) -> None:
    await storage.nodes.create(_news("a"), 2)
    await storage.nodes.create(_news("b"), 2)
    with pytest.raises(LimitReached):
        await storage.nodes.create(_news("c"), 2)
    with pytest.raises(Conflict):
        await storage.nodes.create(_news("a", BOB), 2)
    await storage.nodes.create(_news("c", BOB), 2)
    await storage.nodes.create(Node(OTHER, "a", NodeConfig(), {}, ALICE), 2)
    # Who gives a node away has created it all the same.
    await storage.nodes.affiliate(NEWS, "a", {ALICE: Affiliation.NONE, BOB: Affiliation.OWNER}, 9)
    with pytest.raises(LimitReached):
        await storage.nodes.create(_news("d"), 2)
    assert await storage.nodes.node(NEWS, "c") == _news("c", BOB)


async def test_who_may_know_of_a_node_finds_it_in_the_list(storage: AnyStorage) -> None:
    whitelist = NodeConfig(AccessModel.WHITELIST, title="W")
    for name, config in (("a", NodeConfig(title="A")), ("b", whitelist), ("c", NodeConfig(AccessModel.AUTHORIZE))):
        await storage.nodes.create(_news(name, config=config), 9)
    await storage.nodes.affiliate(NEWS, "b", {BOB: Affiliation.MEMBER, CAROL: Affiliation.PUBLISH_ONLY}, 9)
    await storage.nodes.affiliate(NEWS, "a", {CAROL: Affiliation.OUTCAST}, 9)

    async def listed(address: str, after: str = "", limit: int = 9) -> list[tuple[str, str]]:
        return [tuple(node) for node in await storage.nodes.listed(NEWS, address, after, limit)]

    assert await listed(ALICE) == await listed(BOB) == [("a", "A"), ("b", "W"), ("c", "")]
    assert await listed(CAROL) == [("c", "")]
    assert await listed("d@x") == [("a", "A"), ("c", "")]
    assert await listed(BOB, "a", 1) == [("b", "W")]
    assert await listed(BOB, "c") == []


async def test_an_item_published_again_is_the_newest(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    await storage.nodes.create(Node(alice, "urn:x", NodeConfig(max_items=3)), 10)
    for name in ("1", "2", "3", "1", "4"):
        await storage.nodes.publish(alice, "urn:x", _item(name))
    assert await storage.nodes.items(alice, "urn:x", ALL) == ItemPage([_item("3"), _item("1"), _item("4")], 0, 3)
    assert await ids(storage, alice, "urn:x", ItemQuery(newest=2)) == "14"
    assert await ids(storage, alice, "urn:x", ItemQuery(("4", "nothing", "3"))) == "34"
    assert await storage.nodes.retract(alice, "urn:x", ["4", "nothing", "3"]) == ["4", "3"]
    assert await ids(storage, alice, "urn:x") == "1"


async def test_an_item_published_again_keeps_the_time_of_its_creation(storage: AnyStorage) -> None:
    await storage.nodes.create(_news("a"), 9)
    for name in ("1", "2", "3", "1"):
        await storage.nodes.publish(NEWS, "a", _item(name))
    assert await ids(storage, NEWS, "a") == "231"
    assert await ids(storage, NEWS, "a", ItemQuery(is_by_creation=True)) == "123"
    # What was deleted comes anew.
    await storage.nodes.retract(NEWS, "a", ["2"])
    await storage.nodes.publish(NEWS, "a", _item("2"))
    assert await ids(storage, NEWS, "a", ItemQuery(is_by_creation=True, is_descending=True)) == "231"


async def test_pages(storage: AnyStorage) -> None:
    await storage.nodes.create(_news("a"), 9)
    for name in "12345":
        await storage.nodes.publish(NEWS, "a", _item(name))
    page = await storage.nodes.items(NEWS, "a", ItemQuery(after="2", max=2, is_paged=True))
    assert page == ItemPage([_item("3"), _item("4")], 2, 5)
    with pytest.raises(NotFound) as refused:
        await storage.nodes.items(NEWS, "a", ItemQuery(after="9", is_paged=True))
    assert refused.value.code == "item-not-found"
    # Each payload has four bytes.
    assert await ids(storage, NEWS, "a", ItemQuery(max_bytes=8)) == "45"
    assert await ids(storage, NEWS, "a", ItemQuery(max_bytes=1)) == "5"


async def test_items_that_are_too_old_are_not_shown_and_go(storage: AnyStorage) -> None:
    second = 1_000_000
    await storage.nodes.create(_news("a", config=NodeConfig(max_items=9, item_expire_s=10)), 9)
    await storage.nodes.create(_news("b"), 9)
    for at in (1, 2, 3):
        await storage.nodes.publish(NEWS, "a", _item(str(at), at * second))
        await storage.nodes.publish(NEWS, "b", _item(str(at), at * second))
    assert await ids(storage, NEWS, "a", since=2 * second) == "23"
    assert await storage.nodes.expire(12 * second) == 1
    assert await storage.nodes.expire(12 * second) == 0
    assert (await ids(storage, NEWS, "a"), await ids(storage, NEWS, "b")) == ("23", "123")


async def test_unknown_nodes(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    for service in (alice, NEWS):
        for change in (
            storage.nodes.publish(service, "urn:x", _item("1")),
            storage.nodes.configure(service, "urn:x", NodeConfig()),
            storage.nodes.affiliate(service, "urn:x", {BOB: Affiliation.MEMBER}, 9),
            storage.nodes.subscribe(service, "urn:x", [Subscription(BOB)], 9, 9),
        ):
            with pytest.raises(NotFound) as refused:
                await change
            assert refused.value.code == "node-not-found"
        assert await storage.nodes.items(service, "urn:x", ALL) == ItemPage()
        assert await storage.nodes.retract(service, "urn:x", ["1"]) == []
        assert await storage.nodes.purge(service, "urn:x") == 0
        assert await storage.nodes.delete(service, "urn:x") is False
        assert await storage.nodes.subscriptions(service, "urn:x") == []
        assert await storage.nodes.moved(service, "urn:x") == ""


async def test_a_node_that_moved_is_remembered_until_it_comes_anew(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    for service in (alice, NEWS):
        for uri in ("xmpp:a", "xmpp:b"):
            await storage.nodes.create(Node(service, "urn:x", NodeConfig(), {}, ALICE), 9)
            assert await storage.nodes.moved(service, "urn:x") == ""
            assert await storage.nodes.delete(service, "urn:x", uri) is True
            assert await storage.nodes.moved(service, "urn:x") == uri
    assert await storage.nodes.moved(OTHER, "urn:x") == ""


async def test_what_people_are_to_a_node(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    await storage.nodes.create(Node(alice, "urn:x", NodeConfig()), 10)
    await storage.nodes.affiliate(alice, "urn:x", {BOB: Affiliation.MEMBER, CAROL: Affiliation.OUTCAST}, 2)
    both = {BOB: Affiliation.MEMBER, CAROL: Affiliation.OUTCAST}
    assert await storage.nodes.node(alice, "urn:x") == Node(alice, "urn:x", NodeConfig(), both)
    with pytest.raises(LimitReached) as full:
        await storage.nodes.affiliate(alice, "urn:x", {"d@x": Affiliation.MEMBER}, 2)
    assert full.value.code == "too-many-affiliations"
    # One that has too many already can still be changed and shrink.
    await storage.nodes.affiliate(alice, "urn:x", {BOB: Affiliation.PUBLISHER}, 1)
    await storage.nodes.configure(alice, "urn:x", NodeConfig(title="T"))
    await storage.nodes.affiliate(alice, "urn:x", {CAROL: Affiliation.NONE, "d@x": Affiliation.NONE}, 1)
    changed = Node(alice, "urn:x", NodeConfig(title="T"), {BOB: Affiliation.PUBLISHER})
    assert await storage.nodes.nodes(alice) == [changed]
    assert await storage.nodes.affiliations_of(alice, BOB) == [("urn:x", Affiliation.PUBLISHER)]
    assert await storage.nodes.affiliations_of(NEWS, BOB) == []
    # A node that comes anew starts with nobody.
    await storage.nodes.delete(alice, "urn:x")
    await storage.nodes.create(Node(alice, "urn:x", NodeConfig()), 10)
    assert await storage.nodes.node(alice, "urn:x") == Node(alice, "urn:x", NodeConfig())


async def test_who_is_subscribed(storage: AnyStorage) -> None:
    await storage.nodes.create(_news("a"), 9)
    await storage.nodes.create(_news("b"), 9)
    options = SubscriptionOptions(False, True, ("chat", "online"), 77)
    bob, phone = Subscription(BOB, SubscriptionWord.PENDING), Subscription(f"{BOB}/phone", options=options)
    await storage.nodes.subscribe(NEWS, "a", [phone, bob], 9, 9)
    await storage.nodes.subscribe(NEWS, "b", [Subscription(CAROL), bob], 9, 9)
    assert await storage.nodes.subscriptions(NEWS, "a") == [bob, phone]
    assert await storage.nodes.has_subscriptions(NEWS)
    assert not await storage.nodes.has_subscriptions(OTHER)
    assert await storage.nodes.subscriptions_of(NEWS, BOB) == [("a", bob), ("a", phone), ("b", bob)]
    assert await storage.nodes.subscriptions_of(OTHER, BOB) == []
    approved = Subscription(BOB, SubscriptionWord.SUBSCRIBED)
    ended = Subscription(f"{BOB}/phone", SubscriptionWord.NONE)
    await storage.nodes.subscribe(NEWS, "a", [approved, ended, Subscription("d@x", SubscriptionWord.NONE)], 9, 9)
    assert await storage.nodes.subscriptions(NEWS, "a") == [approved]
    # They go with their node.
    await storage.nodes.delete(NEWS, "a")
    await storage.nodes.create(_news("a"), 9)
    assert await storage.nodes.subscriptions(NEWS, "a") == []


async def test_there_are_only_so_many_subscriptions(storage: AnyStorage) -> None:
    await storage.nodes.create(_news("a"), 9)
    await storage.nodes.subscribe(NEWS, "a", [Subscription(f"{BOB}/1"), Subscription(f"{BOB}/2")], 3, 2)
    for change in (Subscription(BOB), Subscription(f"{BOB}/3")):
        with pytest.raises(LimitReached) as refused:
            await storage.nodes.subscribe(NEWS, "a", [change], 3, 2)
        assert refused.value.code == "too-many-subscriptions"
    await storage.nodes.subscribe(NEWS, "a", [Subscription(CAROL)], 3, 2)
    with pytest.raises(LimitReached):
        await storage.nodes.subscribe(NEWS, "a", [Subscription("d@x")], 3, 2)
    # What is there may change, and go, also where there is too much of it already.
    options = SubscriptionOptions(deliver=False)
    await storage.nodes.subscribe(NEWS, "a", [Subscription(CAROL, options=options)], 1, 1)
    await storage.nodes.subscribe(NEWS, "a", [Subscription(CAROL, SubscriptionWord.NONE)], 1, 1)
    assert len(await storage.nodes.subscriptions(NEWS, "a")) == 2


@pytest.mark.parametrize("gone", [BOB, "back\\\\20slash@example.org", "jürgen@example.org"])
async def test_of_an_address_that_goes_nothing_is_left_at_any_node(storage: AnyStorage, gone: str) -> None:
    alice, bob = await alices(storage)
    stays = {CAROL: Affiliation.MEMBER, f"x{gone}": Affiliation.MEMBER}
    for service, name in ((alice, "urn:x"), (alice, "urn:y"), (bob, "urn:x")):
        await storage.nodes.create(Node(service, name, NodeConfig(title=gone), stays), 10)
    await storage.nodes.affiliate(alice, "urn:x", {gone: Affiliation.MEMBER}, 10)
    await storage.nodes.affiliate(alice, "urn:y", {gone: Affiliation.OUTCAST}, 10)
    assert await storage.nodes.disaffiliate(gone) == [alice.account_id]
    left = [*await storage.nodes.nodes(alice), *await storage.nodes.nodes(bob)]
    assert [node.affiliations for node in left] == [stays] * 3
    assert await storage.nodes.disaffiliate(gone) == []


async def test_with_its_last_owner_a_node_of_a_service_goes(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    for name in ("a", "b", "c"):
        await storage.nodes.create(_news(name, BOB if name == "c" else ALICE), 9)
    await storage.nodes.affiliate(NEWS, "b", {CAROL: Affiliation.OWNER}, 9)
    await storage.nodes.subscribe(NEWS, "c", [Subscription(f"{ALICE}/phone"), Subscription(CAROL)], 9, 9)
    await storage.nodes.create(Node(alice, "urn:x", NodeConfig()), 9)
    assert await storage.nodes.disaffiliate(ALICE) == [0]
    assert await storage.nodes.node(NEWS, "a") is None
    assert (await storage.nodes.listed(NEWS, CAROL, "", 9))[0].name == "b"
    assert await storage.nodes.subscriptions(NEWS, "c") == [Subscription(CAROL)]
    # An account's nodes are its own whatever stands in lists.
    assert await storage.nodes.node(alice, "urn:x") is not None


async def test_what_ends_when_somebody_goes(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    nodes = storage.nodes
    assert not await nodes.has_passing()
    for service in (NEWS, alice):
        await nodes.create(Node(service, "a", NodeConfig(max_items=9), {}, ALICE, 7), 9)
        await nodes.subscribe(service, "a", [Subscription(BOB)], 9, 9)
    assert not await nodes.has_passing()
    passing = Subscription(f"{BOB}/x", options=SubscriptionOptions(is_temporary=True))
    for service in (NEWS, alice):
        await nodes.subscribe(service, "a", [passing], 9, 9)
    assert await nodes.has_passing()
    found = await nodes.temporary_subscriptions(BOB)
    assert sorted(found, key=lambda each: each[0].address) == [(alice, "a", passing), (NEWS, "a", passing)]
    assert await nodes.temporary_subscriptions(CAROL) == []


async def test_items_of_who_goes(storage: AnyStorage) -> None:
    alice, _ = await alices(storage)
    for service in (NEWS, alice):
        for name, is_purged in (("a", True), ("b", False)):
            config = NodeConfig(max_items=9, purge_offline=is_purged)
            await storage.nodes.create(Node(service, name, config, {}, ALICE, 7), 9)
            for number, publisher in enumerate((BOB, f"{BOB}/x", f"{BOB}x", CAROL)):
                await storage.nodes.publish(service, name, NodeItem(str(number), publisher, 1, b"<x/>"))
    assert await storage.nodes.has_passing()
    for service in (NEWS, alice):
        assert await storage.nodes.purged_offline(service, BOB) == [("a", "0"), ("a", "1")]
    assert await storage.nodes.purged_offline(OTHER, BOB) == []


class NodeMachine(StorageMachine):
    """Against dictionaries in the order of publication."""

    def __init__(self) -> None:
        super().__init__()
        self.service = NEWS
        self.configs: dict[str, NodeConfig] = {}
        self.items: dict[str, dict[str, NodeItem]] = {}

    @initialize(is_personal=st.booleans())
    def add_person(self, is_personal: bool) -> None:
        account = self.run(self.storage.accounts.add(ALICE, [], 1))
        self.service = PubsubService(ALICE, account.id) if is_personal else NEWS

    @rule(name=names, config=configs)
    def create(self, name: str, config: NodeConfig) -> None:
        expected = Conflict if name in self.configs else LimitReached if len(self.configs) >= LIMIT else None
        creating = self.storage.nodes.create(Node(self.service, name, config), LIMIT)
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
            self.run(self.storage.nodes.configure(self.service, name, config))
        except NotFound:
            assert name not in self.configs
        else:
            self.configs[name] = config
            self._trim(name)

    @rule(name=names, item=items)
    def publish(self, name: str, item: NodeItem) -> None:
        try:
            gone = self.run(self.storage.nodes.publish(self.service, name, item))
        except NotFound:
            assert name not in self.configs
        except Conflict:
            config, mine = self.configs[name], self.items[name]
            assert config.when_full is WhenFull.REJECT
            assert item.id not in mine
            assert len(mine) >= config.max_items
        else:
            before = {**self.items[name], item.id: item}
            self.items[name].pop(item.id, None)
            self.items[name][item.id] = item
            self._trim(name)
            is_kept = self.configs[name].persist_items
            assert set(gone) == (before.keys() - self.items[name].keys() if is_kept else set())

    @rule(name=names, ids=st.lists(item_ids, max_size=3))
    def retract(self, name: str, ids: list[str]) -> None:
        mine = self.items.get(name, {})
        expected = [item for item in ids if mine.pop(item, None) is not None]
        assert self.run(self.storage.nodes.retract(self.service, name, ids)) == expected

    @rule(name=names)
    def purge(self, name: str) -> None:
        mine = self.items.get(name, {})
        assert self.run(self.storage.nodes.purge(self.service, name)) == len(mine)
        mine.clear()

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.items.pop(name, None)
        existed = self.configs.pop(name, None) is not None
        assert self.run(self.storage.nodes.delete(self.service, name)) is existed

    @rule(now=st.integers(0, 9))
    def expire(self, now: int) -> None:
        second = 1_000_000
        count = 0
        for name, mine in self.items.items():
            seconds = self.configs[name].item_expire_s
            old = [item.id for item in mine.values() if seconds and item.published_at < (now - seconds) * second]
            count += len(old)
            for item in old:
                del mine[item]
        assert self.run(self.storage.nodes.expire(now * second)) == count

    @rule(name=names, limit=st.integers(0, 4))
    def newest(self, name: str, limit: int) -> None:
        mine = list(self.items.get(name, {}).values())
        assert self._read(name, ItemQuery(newest=limit)) == mine[max(len(mine) - limit, 0) :]

    @rule(name=names, ids=st.lists(item_ids, min_size=1, max_size=3))
    def named(self, name: str, ids: list[str]) -> None:
        mine = [item for item in self.items.get(name, {}).values() if item.id in ids]
        assert self._read(name, ItemQuery(tuple(ids))) == mine

    @invariant()
    def all_is_there(self) -> None:
        nodes = self.run(self.storage.nodes.nodes(self.service))
        assert nodes == [Node(self.service, name, self.configs[name]) for name in sorted(self.configs)]
        for name, mine in self.items.items():
            assert self._read(name, ALL) == list(mine.values())

    def _read(self, name: str, query: ItemQuery) -> list[NodeItem]:
        return list(self.run(self.storage.nodes.items(self.service, name, query)).items)

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
