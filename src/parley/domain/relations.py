"""What a decision about a subscription makes of both rosters: the tables of `subscriptions.py`, applied at both ends.

`own` is the item that the one who decides has of the contact, `theirs` the item that the contact has of them. Both are
changed together or not at all; what is told to clients follows from the `Outcome`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parley.domain.contacts import Contact
from parley.domain.subscriptions import INBOUND, NOT_SUBSCRIBED, OUTBOUND, Reply


@dataclass(frozen=True, slots=True)
class Outcome:
    """The two items as they are to be, None for none, and what goes to the contact's clients and to the user's.

    `passed_on` names the kinds of stanzas that the contact's clients get, in this order. `is_answered`: the user's
    clients get the contact's `subscribed`, which the server gives in the contact's name.
    """

    own: Contact | None
    theirs: Contact | None
    passed_on: tuple[str, ...] = ()
    is_answered: bool = False


def decide(kind: str, own: Contact, theirs: Contact | None, request: bytes) -> Outcome:
    """The user sends `kind`: subscribe, unsubscribe, subscribed or unsubscribed (RFC 6121 §3).

    Args:
        kind: what was decided.
        own: the user's item, a fresh unlisted one where there is none.
        theirs: the contact's item, likewise; None when nobody is there to take it.
        request: the stanza, kept with a request until it is answered.
    """
    transition = OUTBOUND[kind](own.state)
    # RFC 6121 §3.1.2, §3.1.5, §3.4.2: the item joins the roster with a request, a grant or an approval.
    is_gain = kind in ("subscribe", "subscribed") and transition.state != own.state
    own = replace(own.with_state(transition.state), is_listed=own.is_listed or is_gain)
    if not transition.goes_on or theirs is None:
        return Outcome(_kept(own), _kept(theirs))
    arrival = INBOUND[kind](theirs.state)
    theirs = theirs.with_state(arrival.state)
    if kind == "subscribe" and arrival.goes_on:
        theirs = replace(theirs, request=request)
    passed_on = (kind,) if arrival.goes_on else ()
    if arrival.reply is not Reply.SUBSCRIBED:
        return Outcome(_kept(own), _kept(theirs), passed_on)
    answer = INBOUND["subscribed"](own.state)
    return Outcome(_kept(own.with_state(answer.state)), _kept(theirs), passed_on, is_answered=answer.goes_on)


def decide_abroad(kind: str, own: Contact) -> Outcome:
    """As `decide`, where the contact's item is on another server: `passed_on` is what goes there."""
    transition = OUTBOUND[kind](own.state)
    is_gain = kind in ("subscribe", "subscribed") and transition.state != own.state
    own = replace(own.with_state(transition.state), is_listed=own.is_listed or is_gain)
    return Outcome(_kept(own), None, (kind,) if transition.goes_on else ())


def arrive(kind: str, own: Contact, request: bytes) -> Outcome:
    """Somebody on another server has decided `kind`: what it makes of the item that the user has of them.

    `passed_on` is what the user's clients get; with `is_answered` the other server gets `subscribed` in the user's
    name.
    """
    transition = INBOUND[kind](own.state)
    own = own.with_state(transition.state)
    if kind == "subscribe" and transition.goes_on:
        own = replace(own, request=request)
    passed_on = (kind,) if transition.goes_on else ()
    return Outcome(_kept(own), None, passed_on, is_answered=transition.reply is Reply.SUBSCRIBED)


def part_abroad(own: Contact) -> Outcome:
    """As `part`, where the contact's item is on another server."""
    return Outcome(None, None, _partings(own))


def part(own: Contact, theirs: Contact | None) -> Outcome:
    """The user deletes the item: the subscriptions end both ways (RFC 6121 §2.5.2)."""
    passed_on = []
    if theirs is not None:
        for kind in _partings(own):
            arrival = INBOUND[kind](theirs.state)
            theirs = theirs.with_state(arrival.state)
            if arrival.goes_on:
                passed_on.append(kind)
    return Outcome(None, _kept(theirs), tuple(passed_on))


def _partings(own: Contact) -> tuple[str, ...]:
    kinds = []
    if own.state.to or own.state.pending_out:
        kinds.append("unsubscribe")
    if own.state.from_ or own.state.pending_in:
        kinds.append("unsubscribed")
    return tuple(kinds)


def deserted(contact: Contact | None) -> Contact | None:
    """What stays of the item of somebody whose account is gone: nobody who gets the address later inherits a grant."""
    return None if contact is None else _kept(contact.with_state(NOT_SUBSCRIBED))


def _kept(contact: Contact | None) -> Contact | None:
    """The contact, or None when nothing about it is worth keeping."""
    if contact is None or (not contact.is_listed and contact.state == NOT_SUBSCRIBED):
        return None
    return contact
