"""Presence subscriptions: the state machine of RFC 6121 Appendix A.

A state is four facts and a wish: the user receives the contact's presence (`to`), the contact receives the user's
(`from_`), a request of the user's waits for the contact (`pending_out`, the `ask` of a roster item), a request of the
contact's waits for the user (`pending_in`, never shown in a roster), and the user has agreed beforehand (`approved`,
RFC 6121 §3.4). The nine states of the appendix are the combinations in which no pending request stands beside the
subscription it asks for.

Each function takes the state as it is and returns what becomes of it and whether the stanza goes on: outbound, to the
contact; inbound, to the user's clients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """One of the states of RFC 6121 §A.1."""

    to: bool = False
    from_: bool = False
    pending_out: bool = False
    pending_in: bool = False
    approved: bool = False

    @property
    def subscription(self) -> str:
        """The word a roster item carries: none, to, from or both (RFC 6121 §2.1.2.5)."""
        if self.to:
            return "both" if self.from_ else "to"
        return "from" if self.from_ else "none"


NOT_SUBSCRIBED = SubscriptionState()


class Reply(StrEnum):
    """What the server answers in the user's name."""

    NONE = ""
    SUBSCRIBED = "subscribed"


@dataclass(frozen=True, slots=True)
class Transition:
    """The next state, whether the stanza goes on, and what the server answers by itself."""

    state: SubscriptionState
    goes_on: bool
    reply: Reply = Reply.NONE


def _out_subscribe(state: SubscriptionState) -> Transition:
    # §A.2.1: always routed; a subscription that exists leaves nothing pending.
    return Transition(state if state.to else replace(state, pending_out=True), goes_on=True)


def _out_unsubscribe(state: SubscriptionState) -> Transition:
    # §A.2.2: always routed.
    return Transition(replace(state, to=False, pending_out=False), goes_on=True)


def _out_subscribed(state: SubscriptionState) -> Transition:
    # §A.2.3: routed only as the answer to a request; otherwise it is an approval beforehand (§3.4.2).
    if state.pending_in:
        return Transition(replace(state, from_=True, pending_in=False, approved=False), goes_on=True)
    return Transition(state if state.from_ else replace(state, approved=True), goes_on=False)


def _out_unsubscribed(state: SubscriptionState) -> Transition:
    # §A.2.4: routed when it denies a request or ends a subscription; it also takes an approval back (§3.4.2).
    changed = replace(state, from_=False, pending_in=False, approved=False)
    return Transition(changed, goes_on=state.from_ or state.pending_in)


def _in_subscribe(state: SubscriptionState) -> Transition:
    # §A.3.1: a subscription that exists, or an approval beforehand, is answered by the server.
    if state.from_:
        return Transition(state, goes_on=False, reply=Reply.SUBSCRIBED)
    if state.approved:
        granted = replace(state, from_=True, pending_in=False, approved=False)
        return Transition(granted, goes_on=False, reply=Reply.SUBSCRIBED)
    return Transition(replace(state, pending_in=True), goes_on=not state.pending_in)


def _in_unsubscribe(state: SubscriptionState) -> Transition:
    # §A.3.2.
    return Transition(replace(state, from_=False, pending_in=False), goes_on=state.from_ or state.pending_in)


def _in_subscribed(state: SubscriptionState) -> Transition:
    # §A.3.3: counts only as the answer to a request.
    if not state.pending_out:
        return Transition(state, goes_on=False)
    return Transition(replace(state, to=True, pending_out=False), goes_on=True)


def _in_unsubscribed(state: SubscriptionState) -> Transition:
    # §A.3.4.
    return Transition(replace(state, to=False, pending_out=False), goes_on=state.to or state.pending_out)


OUTBOUND: dict[str, Callable[[SubscriptionState], Transition]] = {
    "subscribe": _out_subscribe,
    "unsubscribe": _out_unsubscribe,
    "subscribed": _out_subscribed,
    "unsubscribed": _out_unsubscribed,
}
INBOUND: dict[str, Callable[[SubscriptionState], Transition]] = {
    "subscribe": _in_subscribe,
    "unsubscribe": _in_unsubscribe,
    "subscribed": _in_subscribed,
    "unsubscribed": _in_unsubscribed,
}
