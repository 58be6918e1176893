"""Contacts: the roster's items. The subscription's state machine is in `subscriptions.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from parley.domain.subscriptions import NOT_SUBSCRIBED, SubscriptionState


@dataclass(frozen=True, slots=True)
class Contact:
    """One item of a roster (RFC 6121 §2.1.2).

    `request` holds the subscription request as it came in, while it waits for an answer (`state.pending_in`).
    An item that exists only for such a request is not part of the roster that clients see (`is_listed`).
    """

    address: str
    name: str = ""
    groups: tuple[str, ...] = ()
    state: SubscriptionState = NOT_SUBSCRIBED
    is_listed: bool = True
    request: bytes = b""

    def with_state(self, state: SubscriptionState) -> Contact:
        """The same contact in another subscription state."""
        return replace(self, state=state, request=self.request if state.pending_in else b"")


@dataclass(frozen=True, slots=True)
class Roster:
    """All contacts of one account, by address, at one version. Versions grow by one with each change."""

    version: int
    contacts: dict[str, Contact]


@dataclass(frozen=True, slots=True)
class RosterChange:
    """A listed contact that was changed, or one that is not listed any longer (`contact` is None), at `version`."""

    version: int
    address: str
    contact: Contact | None


@dataclass(frozen=True, slots=True)
class RosterEdit:
    """What is to become of the contact `address` of an account; None removes it."""

    account_id: int
    address: str
    contact: Contact | None
