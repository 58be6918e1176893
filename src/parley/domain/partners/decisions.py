"""Which rule refuses what. Pure: an agreement, what is asked and the time in, a rule or None out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from parley.domain.messages import Direction
from parley.domain.partners.agreements import Agreement, Mode, StanzaKind


class Rule(StrEnum):
    """The rules, by the names that logs, metrics and operators know them under. They never change their meaning."""

    FEDERATION_CLOSED = "federation-closed"
    PARTNER_UNKNOWN = "partner-unknown"
    AGREEMENT_REVOKED = "agreement-revoked"
    AGREEMENT_NOT_STARTED = "agreement-not-started"
    AGREEMENT_EXPIRED = "agreement-expired"
    DIRECTION_NOT_AGREED = "direction-not-agreed"
    KIND_NOT_AGREED = "kind-not-agreed"
    TOO_LARGE = "too-large"
    CERTIFICATE_NOT_PINNED = "certificate-not-pinned"
    AUTHORITY_NOT_AGREED = "authority-not-agreed"
    FLOODING = "flooding"


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate of a verified chain: SHA-256 of the whole, and of its public key (SubjectPublicKeyInfo)."""

    digest: bytes
    key_digest: bytes


def agreement_for(domain: str, agreements: Mapping[str, Agreement]) -> Agreement | None:
    """The agreement that a domain falls under: its own, or that of the domain whose service it is."""
    own = agreements.get(domain)
    if own is not None:
        return own
    above = agreements.get(domain.partition(".")[2])
    return above if above is not None and above.is_for_services else None


def stream_rule(mode: Mode, agreement: Agreement | None, direction: Direction, now: int) -> Rule | None:
    """What forbids streams in a direction.

    An agreement that is revoked or out of its time shuts its partner out in open federation too: who made it wanted
    something else than for a stranger.
    """
    if mode is Mode.CLOSED:
        return Rule.FEDERATION_CLOSED
    if agreement is None:
        return Rule.PARTNER_UNKNOWN if mode is Mode.AGREEMENT else None
    return time_rule(agreement, now) or (None if direction in agreement.directions else Rule.DIRECTION_NOT_AGREED)


def time_rule(agreement: Agreement, now: int) -> Rule | None:
    """Why an agreement is not in force."""
    if agreement.revoked_at is not None:
        return Rule.AGREEMENT_REVOKED
    if agreement.starts_at is not None and now < agreement.starts_at:
        return Rule.AGREEMENT_NOT_STARTED
    if agreement.expires_at is not None and now >= agreement.expires_at:
        return Rule.AGREEMENT_EXPIRED
    return None


def stanza_rule(agreement: Agreement | None, kind: StanzaKind, size_bytes: int, max_bytes: int) -> Rule | None:
    """What forbids one stanza where streams are allowed; `max_bytes` is the limit for all."""
    if agreement is not None:
        if kind not in agreement.kinds:
            return Rule.KIND_NOT_AGREED
        if agreement.max_stanza_bytes is not None:
            max_bytes = min(max_bytes, agreement.max_stanza_bytes)
    return Rule.TOO_LARGE if size_bytes > max_bytes else None


def certificate_rule(
    agreement: Agreement | None, chain: Sequence[Presented], agreed: Collection[bytes], own: Collection[bytes]
) -> Rule | None:
    """What forbids a certificate that is valid for its domain.

    Args:
        agreement: the partner's.
        chain: as it was verified, the partner's own first.
        agreed: digests of the authorities that any agreement names and nobody else trusts.
        own: digests of those that this partner's agreement names.
    """
    if agreement is not None and agreement.pins and not any(each.key_digest in agreement.pins for each in chain):
        return Rule.CERTIFICATE_NOT_PINNED
    if own:
        return None if any(each.digest in own for each in chain) else Rule.AUTHORITY_NOT_AGREED
    # An authority that is trusted for one partner must not vouch for the others.
    return Rule.AUTHORITY_NOT_AGREED if any(each.digest in agreed for each in chain) else None
