"""The tables of XEP-0060 §4: who may do what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.errors import LimitReached
from parley.domain.pubsub.nodes import (
    AccessModel,
    Affiliation,
    Node,
    NodeConfig,
    NodeItem,
    PublishModel,
    PubsubService,
    Subscription,
    SubscriptionWord,
)
from parley.domain.pubsub.rules import (
    Denial,
    PublishDenial,
    Standing,
    affiliated,
    check_subscriptions,
    is_move,
    may_publish,
    may_retract,
    needs_approval,
    settled,
    why_not_item,
    why_not_read,
    why_not_subscribe,
)

NEWS = PubsubService("pubsub.example.org")
ALICE, BOB = "alice@example.org", "bob@example.org"
A = Affiliation

# §4.1, table 1, for a node whose model lets nobody in who stands in no list.
PRIVILEGES = [
    (A.OWNER, True, True, True),
    (A.PUBLISHER, True, True, True),
    (A.PUBLISH_ONLY, False, False, True),
    (A.MEMBER, True, True, False),
    (A.NONE, False, False, False),
    (A.OUTCAST, False, False, False),
]


@pytest.mark.parametrize("model", [AccessModel.WHITELIST, AccessModel.PRESENCE, AccessModel.ROSTER])
@pytest.mark.parametrize(("word", "subscribes", "reads", "publishes"), PRIVILEGES)
def test_4_1_affiliations_and_their_privileges(
    word: A, subscribes: bool, reads: bool, publishes: bool, model: AccessModel
) -> None:
    config, standing = NodeConfig(model), Standing(word)
    assert (why_not_subscribe(config, standing) is None) is subscribes
    assert (why_not_read(config, standing) is None) is reads
    assert may_publish(config, standing) is publishes


@pytest.mark.parametrize(
    ("model", "standing", "denial"),
    [
        (AccessModel.OPEN, Standing(), None),
        (AccessModel.PRESENCE, Standing(), Denial.PRESENCE_REQUIRED),
        (AccessModel.PRESENCE, Standing(has_presence=True), None),
        (AccessModel.ROSTER, Standing(has_presence=True), Denial.NOT_IN_GROUP),
        (AccessModel.ROSTER, Standing(groups=frozenset({"Friends"})), Denial.NOT_IN_GROUP),
        (AccessModel.ROSTER, Standing(has_presence=True, groups=frozenset({"Friends"})), None),
        (AccessModel.AUTHORIZE, Standing(), Denial.NOT_SUBSCRIBED),
        (AccessModel.AUTHORIZE, Standing(is_subscribed=True), None),
        (AccessModel.WHITELIST, Standing(), Denial.CLOSED_NODE),
        (AccessModel.WHITELIST, Standing(is_subscribed=True), Denial.CLOSED_NODE),
    ],
)
def test_4_5_access_models(model: AccessModel, standing: Standing, denial: Denial | None) -> None:
    assert why_not_read(NodeConfig(model, roster_groups_allowed=("Friends",)), standing) is denial


@given(st.sampled_from(AccessModel), st.booleans(), st.booleans(), st.booleans())
def test_an_outcast_never_gets_anything(model: AccessModel, presence: bool, subscribed: bool, open_: bool) -> None:
    config = NodeConfig(model, PublishModel.OPEN if open_ else PublishModel.SUBSCRIBERS, roster_groups_allowed=("x",))
    standing = Standing(A.OUTCAST, presence, frozenset({"x"}), subscribed)
    assert why_not_read(config, standing) is why_not_subscribe(config, standing) is Denial.BLOCKED
    assert not may_publish(config, standing)


@given(st.sampled_from(AccessModel), st.booleans(), st.booleans())
def test_who_may_read_may_subscribe(model: AccessModel, presence: bool, member: bool) -> None:
    standing = Standing(A.MEMBER if member else A.NONE, presence, frozenset({"x"}))
    config = NodeConfig(model, roster_groups_allowed=("x",))
    if why_not_read(config, standing) is None:
        assert why_not_subscribe(config, standing) is None
        assert not needs_approval(config, standing)


def test_a_node_that_takes_no_subscriptions() -> None:
    config = NodeConfig(AccessModel.OPEN, is_subscribable=False)
    assert why_not_subscribe(config, Standing(A.OWNER)) is Denial.NO_SUBSCRIPTIONS


@pytest.mark.parametrize("subscribed", [True, False])
def test_publish_models(subscribed: bool) -> None:
    standing = Standing(is_subscribed=subscribed)
    assert may_publish(NodeConfig(publish_model=PublishModel.OPEN), standing)
    assert may_publish(NodeConfig(publish_model=PublishModel.SUBSCRIBERS), standing) is subscribed
    assert not may_publish(NodeConfig(publish_model=PublishModel.PUBLISHERS), standing)


def test_items_are_deleted_by_owners_and_by_who_published_them() -> None:
    item = NodeItem("1", f"{BOB}/desk", 1, b"")
    assert may_retract(A.OWNER, ALICE, item)
    assert may_retract(A.PUBLISH_ONLY, BOB, item)
    assert not may_retract(A.PUBLISHER, ALICE, item)
    assert not may_retract(A.OUTCAST, BOB, item)


@pytest.mark.parametrize(
    ("config", "payloads", "namespace", "denial"),
    [
        (NodeConfig(), 1, "urn:a", None),
        (NodeConfig(), 2, "urn:a", PublishDenial.INVALID_PAYLOAD),
        (NodeConfig(type="urn:a"), 1, "urn:a", None),
        (NodeConfig(type="urn:b"), 1, "urn:a", PublishDenial.INVALID_PAYLOAD),
        (NodeConfig(type="urn:b", deliver_payloads=False), 0, "", None),
        (NodeConfig(persist_items=False, deliver_payloads=False), None, "", None),
        (NodeConfig(persist_items=False, deliver_payloads=False), 0, "", PublishDenial.ITEM_FORBIDDEN),
    ],
)
def test_what_an_item_must_be(
    config: NodeConfig, payloads: int | None, namespace: str, denial: PublishDenial | None
) -> None:
    assert why_not_item(config, payloads, namespace) is denial


def _node(**words: A) -> Node:
    return Node(NEWS, "n", NodeConfig(), {f"{name}@example.org": word for name, word in words.items()})


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        (A.OUTCAST, set()),
        (A.NONE, set()),
        (A.MEMBER, set()),
        (A.PUBLISH_ONLY, set()),
        (A.PUBLISHER, {A.MEMBER}),
        (A.OWNER, {A.OUTCAST, A.MEMBER, A.PUBLISHER, A.PUBLISH_ONLY}),
    ],
)
def test_4_1_the_state_chart(before: A, refused: set[A]) -> None:
    node = _node(alice=A.OWNER, bob=before)
    assert {word for word in A if not is_move(node, BOB, word)} == refused


def test_the_last_owner_stays_one() -> None:
    assert not is_move(_node(alice=A.OWNER, bob=A.PUBLISHER), ALICE, A.NONE)
    assert is_move(_node(alice=A.OWNER, bob=A.OWNER), ALICE, A.NONE)


def test_an_account_owns_its_nodes_alone() -> None:
    node = Node(PubsubService(ALICE, 7), "n", NodeConfig())
    assert node.owners == [ALICE]
    assert node.affiliation(ALICE) is A.OWNER
    assert not is_move(node, ALICE, A.NONE)
    assert not is_move(node, BOB, A.OWNER)
    assert is_move(node, BOB, A.PUBLISHER)


@pytest.mark.parametrize(
    ("model", "word", "state", "becomes"),
    [
        ("authorize", A.MEMBER, "pending", "subscribed"),
        ("authorize", A.NONE, "pending", "pending"),
        ("authorize", A.OUTCAST, "pending", "none"),
        ("open", A.OUTCAST, "subscribed", "none"),
        ("open", A.PUBLISH_ONLY, "subscribed", "none"),
        ("open", A.NONE, "subscribed", "subscribed"),
        ("whitelist", A.NONE, "subscribed", "none"),
        ("whitelist", A.PUBLISHER, "subscribed", "subscribed"),
    ],
)
def test_what_becomes_of_a_subscription(model: str, word: A, state: str, becomes: str) -> None:
    config = NodeConfig(AccessModel(model))
    assert settled(config, word, Subscription(BOB, SubscriptionWord(state))) is SubscriptionWord(becomes)


def test_lists_have_a_bound_that_counts_only_growth() -> None:
    known = {ALICE: A.OWNER, BOB: A.MEMBER}
    assert affiliated(known, {BOB: A.NONE}, 1) == {ALICE: A.OWNER}
    assert affiliated(known, {BOB: A.OUTCAST}, 1) == {ALICE: A.OWNER, BOB: A.OUTCAST}
    with pytest.raises(LimitReached):
        affiliated(known, {"c@x": A.MEMBER}, 2)


def test_subscriptions_have_a_bound_for_a_node_and_for_each_address() -> None:
    known = [Subscription(BOB)]
    check_subscriptions(known, [Subscription(f"{BOB}/x")], 2, 2)
    with pytest.raises(LimitReached):
        check_subscriptions(known, [Subscription(f"{BOB}/x")], 9, 1)
    with pytest.raises(LimitReached):
        check_subscriptions(known, [Subscription(ALICE)], 1, 9)
    check_subscriptions(known, [Subscription(BOB, SubscriptionWord.NONE), Subscription(ALICE)], 1, 1)
