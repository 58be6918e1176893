"""The tables of RFC 6121 Appendix A, row by row, and what must hold for every sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.subscriptions import INBOUND, NOT_SUBSCRIBED, OUTBOUND, Reply, SubscriptionState, Transition

STATES = {
    "None": SubscriptionState(),
    "None + Pending Out": SubscriptionState(pending_out=True),
    "None + Pending In": SubscriptionState(pending_in=True),
    "None + Pending Out+In": SubscriptionState(pending_out=True, pending_in=True),
    "To": SubscriptionState(to=True),
    "To + Pending In": SubscriptionState(to=True, pending_in=True),
    "From": SubscriptionState(from_=True),
    "From + Pending Out": SubscriptionState(from_=True, pending_out=True),
    "Both": SubscriptionState(to=True, from_=True),
}

# (existing state, goes on?, new state); "=" is no state change. §A.2.1 to §A.2.4.
OUTBOUND_ROWS = {
    "subscribe": [
        ("None", True, "None + Pending Out"),
        ("None + Pending Out", True, "="),
        ("None + Pending In", True, "None + Pending Out+In"),
        ("None + Pending Out+In", True, "="),
        ("To", True, "="),
        ("To + Pending In", True, "="),
        ("From", True, "From + Pending Out"),
        ("From + Pending Out", True, "="),
        ("Both", True, "="),
    ],
    "unsubscribe": [
        ("None", True, "="),
        ("None + Pending Out", True, "None"),
        ("None + Pending In", True, "="),
        ("None + Pending Out+In", True, "None + Pending In"),
        ("To", True, "None"),
        ("To + Pending In", True, "None + Pending In"),
        ("From", True, "="),
        ("From + Pending Out", True, "From"),
        ("Both", True, "From"),
    ],
    "subscribed": [
        ("None", False, "="),
        ("None + Pending Out", False, "="),
        ("None + Pending In", True, "From"),
        ("None + Pending Out+In", True, "From + Pending Out"),
        ("To", False, "="),
        ("To + Pending In", True, "Both"),
        ("From", False, "="),
        ("From + Pending Out", False, "="),
        ("Both", False, "="),
    ],
    "unsubscribed": [
        ("None", False, "="),
        ("None + Pending Out", False, "="),
        ("None + Pending In", True, "None"),
        ("None + Pending Out+In", True, "None + Pending Out"),
        ("To", False, "="),
        ("To + Pending In", True, "To"),
        ("From", True, "None"),
        ("From + Pending Out", True, "None + Pending Out"),
        ("Both", True, "To"),
    ],
}

# (existing state, delivered?, new state). §A.3.1 to §A.3.4.
INBOUND_ROWS = {
    "subscribe": [
        ("None", True, "None + Pending In"),
        ("None + Pending Out", True, "None + Pending Out+In"),
        ("None + Pending In", False, "="),
        ("None + Pending Out+In", False, "="),
        ("To", True, "To + Pending In"),
        ("To + Pending In", False, "="),
        ("From", False, "="),
        ("From + Pending Out", False, "="),
        ("Both", False, "="),
    ],
    "unsubscribe": [
        ("None", False, "="),
        ("None + Pending Out", False, "="),
        ("None + Pending In", True, "None"),
        ("None + Pending Out+In", True, "None + Pending Out"),
        ("To", False, "="),
        ("To + Pending In", True, "To"),
        ("From", True, "None"),
        ("From + Pending Out", True, "None + Pending Out"),
        ("Both", True, "To"),
    ],
    "subscribed": [
        ("None", False, "="),
        ("None + Pending Out", True, "To"),
        ("None + Pending In", False, "="),
        ("None + Pending Out+In", True, "To + Pending In"),
        ("To", False, "="),
        ("To + Pending In", False, "="),
        ("From", False, "="),
        ("From + Pending Out", True, "Both"),
        ("Both", False, "="),
    ],
    "unsubscribed": [
        ("None", False, "="),
        ("None + Pending Out", True, "None"),
        ("None + Pending In", False, "="),
        ("None + Pending Out+In", True, "None + Pending In"),
        ("To", True, "None"),
        ("To + Pending In", True, "None + Pending In"),
        ("From", False, "="),
        ("From + Pending Out", True, "From"),
        ("Both", True, "From"),
    ],
}


def _rows(tables: dict[str, list[tuple[str, bool, str]]]) -> list[tuple[str, str, bool, str]]:
    return [(kind, *row) for kind, rows in tables.items() for row in rows]


def _without_approval(state: SubscriptionState) -> SubscriptionState:
    return SubscriptionState(state.to, state.from_, state.pending_out, state.pending_in)


@pytest.mark.parametrize(("kind", "before", "goes_on", "after"), _rows(OUTBOUND_ROWS))
def test_outbound(kind: str, before: str, goes_on: bool, after: str) -> None:
    transition = OUTBOUND[kind](STATES[before])
    assert transition.goes_on is goes_on
    assert _without_approval(transition.state) == STATES[before if after == "=" else after]


@pytest.mark.parametrize(("kind", "before", "delivered", "after"), _rows(INBOUND_ROWS))
def test_inbound(kind: str, before: str, delivered: bool, after: str) -> None:
    transition = INBOUND[kind](STATES[before])
    assert transition.goes_on is delivered
    assert transition.state == STATES[before if after == "=" else after]


@pytest.mark.parametrize("before", ["From", "From + Pending Out", "Both"])
def test_a_request_of_somebody_who_is_subscribed_is_granted_by_the_server(before: str) -> None:
    assert INBOUND["subscribe"](STATES[before]).reply is Reply.SUBSCRIBED


def test_every_state_of_the_appendix_has_its_row_in_every_table() -> None:
    for tables in (OUTBOUND_ROWS, INBOUND_ROWS):
        for rows in tables.values():
            assert {row[0] for row in rows} == set(STATES)


def test_an_approval_beforehand_grants_the_request_that_follows() -> None:
    approved = OUTBOUND["subscribed"](NOT_SUBSCRIBED).state
    assert approved.approved
    assert INBOUND["subscribe"](approved) == Transition(SubscriptionState(from_=True), False, Reply.SUBSCRIBED)


def test_an_approval_can_be_taken_back_without_telling_anybody() -> None:
    approved = OUTBOUND["subscribed"](NOT_SUBSCRIBED).state
    assert OUTBOUND["unsubscribed"](approved) == Transition(NOT_SUBSCRIBED, goes_on=False)


@pytest.mark.parametrize(
    ("state", "word"),
    [("None", "none"), ("To", "to"), ("From", "from"), ("Both", "both"), ("None + Pending In", "none")],
)
def test_the_word_in_the_roster(state: str, word: str) -> None:
    assert STATES[state].subscription == word


STEPS = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from(sorted(OUTBOUND))), max_size=40)


@given(STEPS)
def test_two_parties_agree_after_any_conversation(steps: list[tuple[int, str]]) -> None:
    """Whatever two people do, what one sends is what the other receives, and only states of the appendix occur."""
    parties = [NOT_SUBSCRIBED, NOT_SUBSCRIBED]
    for who, kind in steps:
        other = 1 - who
        transition = OUTBOUND[kind](parties[who])
        parties[who] = transition.state
        if transition.goes_on:
            arrived = INBOUND[kind](parties[other])
            parties[other] = arrived.state
            if arrived.reply is Reply.SUBSCRIBED:
                parties[who] = INBOUND["subscribed"](parties[who]).state
        for state in parties:
            assert _without_approval(state) in STATES.values()
            assert not (state.approved and state.from_)
        assert parties[0].to == parties[1].from_
        assert parties[1].to == parties[0].from_
        assert parties[0].pending_out == parties[1].pending_in
        assert parties[1].pending_out == parties[0].pending_in
