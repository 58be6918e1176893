"""What is agreed with a partner. Times are microseconds since the epoch, sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from parley.domain.errors import Refused
from parley.domain.messages import Direction

PIN_BYTES: Final = 32
MIN_STANZA_BYTES: Final = 10_000
"""RFC 6120 §13.12: a limit on stanzas MUST NOT be smaller."""


class Mode(StrEnum):
    """Which servers we talk with: none, those an agreement is in force with, or all that no agreement shuts out."""

    CLOSED = "closed"
    AGREEMENT = "agreement"
    OPEN = "open"


class StanzaKind(StrEnum):
    """What a stanza is to an agreement. `REQUESTS` are info/queries that belong to none of the others."""

    MESSAGES = "messages"
    PRESENCE = "presence"
    FILES = "files"
    ROOMS = "rooms"
    REQUESTS = "requests"


BOTH_WAYS: Final = frozenset(Direction)
ALL_KINDS: Final = frozenset(StanzaKind)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a partner may send for long, and at once before that holds."""

    stanzas_per_s: float
    burst_stanzas: float
    bytes_per_s: float
    burst_bytes: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is agreed with the servers of one domain.

    Attributes:
        domain: in the form of `JID.domain`: prepared, lower case, without a trailing dot.
        directions: IN is what the partner sends us, OUT what we send.
        kinds: what may pass.
        pins: SHA-256 of public keys (SubjectPublicKeyInfo); when there are any, one of them must be in the chain of the
            partner's certificate.
        authorities: certificates (DER) of authorities, or the partner's own; when there are any, the chain must end in
            one of them, whether or not anybody else trusts it.
        max_stanza_bytes: largest stanza in either direction; None for the limit of all.
        rates: None for those of all.
        starts_at: None for at once.
        expires_at: None for never.
        is_for_services: whether it holds for the domains one label below as well, such as `conference.` for rooms.
        is_dialback_allowed: whether the domain name system may vouch for the partner (XEP-0220). Never with pins or
            authorities.
        note: for operators.
        revoked_at: since when it holds no more; None while it was not revoked.
    """

    domain: str
    directions: frozenset[Direction] = BOTH_WAYS
    kinds: frozenset[StanzaKind] = ALL_KINDS
    pins: frozenset[bytes] = frozenset()
    authorities: tuple[bytes, ...] = ()
    max_stanza_bytes: int | None = None
    rates: Rates | None = None
    starts_at: int | None = None
    expires_at: int | None = None
    is_for_services: bool = True
    is_dialback_allowed: bool = False
    note: str = ""
    revoked_at: int | None = None


class Action(StrEnum):
    """What was done to an agreement."""

    ADDED = "added"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the history: the agreement as it was from `at` on. `by` is who did it, in the operator's words."""

    id: int
    at: int
    by: str
    action: Action
    agreement: Agreement


def checked(agreement: Agreement) -> Agreement:
    """The agreement, when it makes sense. Raises Refused("agreement-invalid")."""
    complaint = _complaint(agreement)
    if complaint:
        raise Refused("agreement-invalid", complaint)
    return agreement


def _complaint(agreement: Agreement) -> str:
    rates, starts_at, expires_at = agreement.rates, agreement.starts_at, agreement.expires_at
    least_bytes = MIN_STANZA_BYTES if agreement.max_stanza_bytes is None else agreement.max_stanza_bytes
    complaints = {
        "it needs a direction": not agreement.directions,
        "it needs a kind of stanzas": not agreement.kinds,
        "a pin is a SHA-256, 32 bytes": any(len(pin) != PIN_BYTES for pin in agreement.pins),
        f"its largest stanza must not be below {MIN_STANZA_BYTES} bytes": least_bytes < MIN_STANZA_BYTES,
        "its rates and bursts must be 1 at least": rates is not None
        and min(rates.stanzas_per_s, rates.burst_stanzas, rates.bytes_per_s, rates.burst_bytes) < 1,
        "it expires before it starts": starts_at is not None and expires_at is not None and expires_at <= starts_at,
        "dialback asks for no certificate, so it goes with neither pins nor authorities": agreement.is_dialback_allowed
        and bool(agreement.pins or agreement.authorities),
    }
    return next((text for text, is_so in complaints.items() if is_so), "")
