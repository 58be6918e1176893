"""What two people have of each other: whatever they decide, the two rosters never disagree (RFC 6121 §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.contacts import Contact
from parley.domain.relations import Outcome, decide, part
from parley.domain.subscriptions import SubscriptionState

KINDS = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")
NEW = {"alice": Contact("alice", is_listed=False), "bob": Contact("bob", is_listed=False)}


def test_a_request_waits_at_the_other_end_with_its_stanza() -> None:
    assert decide("subscribe", NEW["bob"], NEW["alice"], b"<presence/>") == Outcome(
        Contact("bob", state=SubscriptionState(pending_out=True)),
        Contact("alice", state=SubscriptionState(pending_in=True), is_listed=False, request=b"<presence/>"),
        passed_on=("subscribe",),
    )


def test_what_nobody_is_there_to_take_changes_one_roster() -> None:
    own = Contact("bob", state=SubscriptionState(pending_out=True))
    assert decide("subscribe", NEW["bob"], None, b"") == Outcome(own, None)
    assert decide("unsubscribe", NEW["bob"], None, b"") == Outcome(None, None)
    assert part(own, None) == Outcome(None, None)


def test_an_approval_answers_in_the_same_breath() -> None:
    approving = Contact("alice", state=SubscriptionState(approved=True))
    assert decide("subscribe", NEW["bob"], approving, b"") == Outcome(
        Contact("bob", state=SubscriptionState(to=True)),
        Contact("alice", state=SubscriptionState(from_=True)),
        is_answered=True,
    )


@pytest.mark.parametrize(
    ("own", "theirs", "passed_on"),
    [
        (SubscriptionState(to=True, from_=True), SubscriptionState(to=True, from_=True), KINDS[1::2]),
        (SubscriptionState(pending_out=True), SubscriptionState(pending_in=True), ("unsubscribe",)),
        (SubscriptionState(pending_in=True), SubscriptionState(pending_out=True), ("unsubscribed",)),
        (SubscriptionState(approved=True), SubscriptionState(), ()),
    ],
)
def test_who_deletes_a_contact_ends_what_there_was(
    own: SubscriptionState, theirs: SubscriptionState, passed_on: tuple[str, ...]
) -> None:
    parted = part(Contact("bob", state=own), Contact("alice", "Alice", state=theirs))
    assert parted == Outcome(None, Contact("alice", "Alice"), passed_on)


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from([*KINDS, "part"]))))
def test_two_rosters_never_disagree(acts: list[tuple[str, str]]) -> None:
    items: dict[str, Contact | None] = {"alice": None, "bob": None}
    for who, kind in acts:
        other = "bob" if who == "alice" else "alice"
        own, theirs = items[other] or NEW[other], items[who] or NEW[who]
        outcome = part(own, theirs) if kind == "part" else decide(kind, own, theirs, b"")
        items[other], items[who] = outcome.own, outcome.theirs
        mine, yours = (items[name].state if items[name] else SubscriptionState() for name in (other, who))  # type: ignore[union-attr]
        assert (mine.to, mine.from_) == (yours.from_, yours.to)
        assert (mine.pending_out, mine.pending_in) == (yours.pending_in, yours.pending_out)
        for name, item in items.items():
            assert item is None or item.address == name
