from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.messages import Direction
from parley.domain.partners.agreements import Agreement, Mode, StanzaKind
from parley.domain.partners.decisions import (
    Presented,
    Rule,
    agreement_for,
    certificate_rule,
    stanza_rule,
    stream_rule,
)

from .test_agreements import agreements

NOW = 1_000
AGREEMENT = Agreement("partner.example")
OURS, THEIRS, OTHER = (Presented(name * 32, name.lower() * 32) for name in (b"O", b"T", b"X"))


@pytest.mark.parametrize(
    ("mode", "agreement", "direction", "rule"),
    [
        (Mode.CLOSED, AGREEMENT, Direction.IN, Rule.FEDERATION_CLOSED),
        (Mode.AGREEMENT, None, Direction.IN, Rule.PARTNER_UNKNOWN),
        (Mode.OPEN, None, Direction.OUT, None),
        (Mode.AGREEMENT, AGREEMENT, Direction.OUT, None),
        (Mode.OPEN, replace(AGREEMENT, revoked_at=5), Direction.IN, Rule.AGREEMENT_REVOKED),
        (Mode.AGREEMENT, replace(AGREEMENT, starts_at=NOW + 1), Direction.IN, Rule.AGREEMENT_NOT_STARTED),
        (Mode.AGREEMENT, replace(AGREEMENT, starts_at=NOW, expires_at=NOW + 1), Direction.IN, None),
        (Mode.OPEN, replace(AGREEMENT, expires_at=NOW), Direction.OUT, Rule.AGREEMENT_EXPIRED),
        (Mode.OPEN, replace(AGREEMENT, directions=frozenset({Direction.IN})), Direction.OUT, Rule.DIRECTION_NOT_AGREED),
        (Mode.OPEN, replace(AGREEMENT, directions=frozenset({Direction.IN})), Direction.IN, None),
    ],
)
def test_streams(mode: Mode, agreement: Agreement | None, direction: Direction, rule: Rule | None) -> None:
    assert stream_rule(mode, agreement, direction, NOW) is rule


@pytest.mark.parametrize(
    ("agreement", "size_bytes", "rule"),
    [
        (None, 20_000, None),
        (None, 20_001, Rule.TOO_LARGE),
        (replace(AGREEMENT, max_stanza_bytes=10_000), 10_001, Rule.TOO_LARGE),
        (replace(AGREEMENT, max_stanza_bytes=30_000), 20_001, Rule.TOO_LARGE),
        (replace(AGREEMENT, kinds=frozenset({StanzaKind.PRESENCE})), 10, Rule.KIND_NOT_AGREED),
        (replace(AGREEMENT, kinds=frozenset({StanzaKind.MESSAGES})), 20_000, None),
    ],
)
def test_stanzas(agreement: Agreement | None, size_bytes: int, rule: Rule | None) -> None:
    assert stanza_rule(agreement, StanzaKind.MESSAGES, size_bytes, 20_000) is rule


def test_an_agreement_is_for_the_services_below_its_domain_when_it_says_so() -> None:
    wide, narrow = AGREEMENT, replace(AGREEMENT, domain="narrow.example", is_for_services=False)
    known = {each.domain: each for each in (wide, narrow)}
    assert agreement_for("partner.example", known) is wide
    assert agreement_for("conference.partner.example", known) is wide
    assert agreement_for("a.b.partner.example", known) is None
    assert agreement_for("conference.narrow.example", known) is None
    assert agreement_for("example", known) is None
    assert agreement_for("evilpartner.example", known) is None


@pytest.mark.parametrize(
    ("pins", "own", "chain", "rule"),
    [
        ((), (), [THEIRS, OTHER], None),
        ((THEIRS.key_digest,), (), [THEIRS, OTHER], None),
        ((OTHER.key_digest,), (), [THEIRS, OTHER], None),
        ((b"n" * 32,), (), [THEIRS, OTHER], Rule.CERTIFICATE_NOT_PINNED),
        ((), (OURS.digest,), [THEIRS, OURS], None),
        ((), (OURS.digest,), [THEIRS, OTHER], Rule.AUTHORITY_NOT_AGREED),
        ((), (), [THEIRS, OURS], Rule.AUTHORITY_NOT_AGREED),
        ((THEIRS.key_digest,), (), [THEIRS, OURS], Rule.AUTHORITY_NOT_AGREED),
        ((b"n" * 32,), (OURS.digest,), [THEIRS, OURS], Rule.CERTIFICATE_NOT_PINNED),
        ((), (OURS.digest,), [], Rule.AUTHORITY_NOT_AGREED),
        ((THEIRS.key_digest,), (), [], Rule.CERTIFICATE_NOT_PINNED),
    ],
)
def test_certificates(
    pins: tuple[bytes, ...], own: tuple[bytes, ...], chain: list[Presented], rule: Rule | None
) -> None:
    agreement = replace(AGREEMENT, pins=frozenset(pins))
    assert certificate_rule(agreement, chain, {OURS.digest}, own) is rule


@given(agreements, st.sampled_from(Direction), st.integers(0, 1 << 51))
def test_who_has_no_valid_agreement_never_gets_in_by_agreement(
    agreement: Agreement, direction: Direction, now: int
) -> None:
    assert stream_rule(Mode.CLOSED, agreement, direction, now) is not None
    assert stream_rule(Mode.AGREEMENT, None, direction, now) is not None
    allowed = stream_rule(Mode.AGREEMENT, agreement, direction, now) is None
    # An agreement means the same in open federation.
    assert allowed == (stream_rule(Mode.OPEN, agreement, direction, now) is None)
    if allowed:
        assert agreement.revoked_at is None
        assert direction in agreement.directions
        assert agreement.starts_at is None or agreement.starts_at <= now
        assert agreement.expires_at is None or now < agreement.expires_at


@given(agreements, st.sampled_from(StanzaKind), st.integers(0, 1 << 25), st.integers(10_000, 1 << 25))
def test_an_agreement_allows_no_more_than_the_limit_of_all(
    agreement: Agreement, kind: StanzaKind, size_bytes: int, max_bytes: int
) -> None:
    if stanza_rule(agreement, kind, size_bytes, max_bytes) is None:
        assert kind in agreement.kinds
        assert stanza_rule(None, kind, size_bytes, max_bytes) is None
