from __future__ import annotations

import datetime
import hashlib
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from parley.base.clock import VirtualClock
from parley.base.config.federation import FederationSettings
from parley.domain import messages
from parley.domain.partners.agreements import Agreement, Rates, StanzaKind
from parley.edges.xmpp.federation.policy import PartnerPolicy, key_digest
from parley.edges.xmpp.federation.ports import Direction, Kind, Permission, Refusal
from parley.protocols.xmpp.errors import StanzaCondition

PARTNER = "partner.example"
AGREEMENT = Agreement(PARTNER)


class Bench:
    """A policy with the settings and the time in hand."""

    def __init__(self, *agreements: Agreement, **settings: object) -> None:
        self.settings = FederationSettings(**{"mode": "agreement", **settings})
        self.clock = VirtualClock()
        self.public: frozenset[bytes] = frozenset()
        self.policy = PartnerPolicy(lambda: self.settings, self.clock, lambda: self.public)
        self.policy.learn(agreements)

    def passes(self, kind: Kind = Kind.MESSAGES, size_bytes: int = 200, domain: str = PARTNER) -> Refusal | float:
        return self.policy.stanza(domain, Direction.IN, kind, size_bytes)


def certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=9))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def rule_of(answer: object) -> str:
    return answer.rule if isinstance(answer, Refusal) else ""


def test_without_an_agreement_only_open_federation_lets_in() -> None:
    assert rule_of(Bench().policy.incoming(PARTNER)) == "partner-unknown"
    assert rule_of(Bench(mode="closed").policy.outgoing(PARTNER)) == "federation-closed"
    assert Bench(mode="open").policy.incoming(PARTNER) == Permission(is_dialback_allowed=False)
    assert Bench(mode="open", dialback=True).policy.incoming(PARTNER) == Permission(is_dialback_allowed=True)


def test_an_agreement_says_who_vouches_for_its_partner() -> None:
    assert Bench(AGREEMENT, dialback=True).policy.outgoing(PARTNER) == Permission(is_dialback_allowed=False)
    trusting = replace(AGREEMENT, is_dialback_allowed=True)
    assert Bench(trusting).policy.outgoing(f"conference.{PARTNER}") == Permission(is_dialback_allowed=True)


def test_directions_are_those_of_the_agreement() -> None:
    bench = Bench(replace(AGREEMENT, directions=frozenset({messages.Direction.OUT})))
    assert isinstance(bench.policy.outgoing(PARTNER), Permission)
    assert rule_of(bench.policy.incoming(PARTNER)) == "direction-not-agreed"
    assert rule_of(bench.passes()) == "direction-not-agreed"
    assert bench.policy.stanza(PARTNER, Direction.OUT, Kind.FILES, 10) == 0.0


def test_each_refusal_of_a_stanza_has_its_rule_and_its_error() -> None:
    bench = Bench(replace(AGREEMENT, kinds=frozenset({StanzaKind.MESSAGES}), max_stanza_bytes=10_000))
    assert bench.passes() == 0.0
    files, large = bench.passes(Kind.FILES), bench.passes(size_bytes=10_001)
    assert isinstance(files, Refusal)
    assert (files.rule, files.condition) == ("kind-not-agreed", StanzaCondition.NOT_ALLOWED)
    assert isinstance(large, Refusal)
    assert (large.rule, large.condition) == ("too-large", StanzaCondition.POLICY_VIOLATION)
    assert rule_of(bench.policy.stanza(PARTNER, Direction.OUT, Kind.PRESENCE, 10)) == "kind-not-agreed"
    assert {kind.value for kind in Kind} == {kind.value for kind in StanzaKind}


def test_an_agreement_that_ends_ends_for_streams_that_are_there() -> None:
    bench = Bench()
    bench.policy.learn([replace(AGREEMENT, expires_at=bench.clock.now_us() + 60_000_000)])
    assert bench.passes() == 0.0
    bench.clock.advance(60)
    assert rule_of(bench.passes()) == "agreement-expired"
    bench.policy.learn([replace(AGREEMENT, revoked_at=5)])
    assert rule_of(bench.policy.outgoing(PARTNER)) == "agreement-revoked"


def test_a_flood_is_slowed_then_cut_and_its_neighbour_notices_nothing() -> None:
    other = "innocent.example"
    slow = replace(AGREEMENT, rates=Rates(10, 20, 100_000, 100_000))
    bench = Bench(slow, Agreement(other), flood_after_s=30, cut_min_s=60)
    slowed = 0
    for _ in range(1000):
        verdict = bench.passes()
        if isinstance(verdict, Refusal):
            break
        slowed += verdict > 0
        bench.clock.advance(verdict)
        assert bench.passes(domain=other) == 0.0
        assert isinstance(bench.policy.incoming(PARTNER), Permission) == (not bench.policy.cut_s(PARTNER))
    assert 290 < slowed < 310
    assert verdict == Refusal(
        "flooding", StanzaCondition.RESOURCE_CONSTRAINT, "too much was sent for too long", ends_streams=True
    )
    assert rule_of(bench.policy.incoming(PARTNER)) == "flooding"
    assert rule_of(bench.policy.incoming(f"conference.{PARTNER}")) == "flooding"
    assert isinstance(bench.policy.outgoing(PARTNER), Permission)
    assert isinstance(bench.policy.incoming(other), Permission)
    bench.clock.advance(60)
    assert isinstance(bench.policy.incoming(PARTNER), Permission)
    assert bench.passes() == 0.0


def test_the_number_of_meters_does_not_grow_with_that_of_strangers() -> None:
    bench = Bench(mode="open")
    for number in range(3000):
        bench.passes(domain=f"d{number}.example")
        bench.clock.advance(1)
    assert len(bench.policy._meters) < 10


def test_other_rates_hold_from_when_they_are_learned() -> None:
    bench = Bench(AGREEMENT, partner_stanzas_per_s=1, partner_burst_stanzas=1)
    assert bench.passes() == 0.0
    assert bench.passes() == pytest.approx(1.0)
    bench.policy.learn([replace(AGREEMENT, rates=Rates(100, 100, 1e6, 1e6))])
    assert bench.passes() == 0.0


def test_an_authority_of_one_partner_does_not_vouch_for_another() -> None:
    own, theirs, public = certificate("own"), certificate("theirs"), certificate("public")
    bench = Bench(replace(AGREEMENT, authorities=(theirs, public)), Agreement("other.example"))
    bench.public = frozenset({hashlib.sha256(public).digest()})
    assert bench.policy.authorities() == (theirs, public)
    assert bench.policy.certificate(PARTNER, [own, theirs]) is None
    assert rule_of(bench.policy.certificate(PARTNER, [own])) == "authority-not-agreed"
    assert rule_of(bench.policy.certificate("other.example", [own, theirs])) == "authority-not-agreed"
    assert bench.policy.certificate("other.example", [own, public]) is None
    assert bench.policy.certificate("stranger.example", [own]) is None
    bench.policy.learn([replace(AGREEMENT, authorities=(theirs,), revoked_at=1)])
    assert bench.policy.authorities() == ()


def test_a_pinned_key_must_be_there() -> None:
    own, renewed = certificate("own"), certificate("renewed")
    bench = Bench(replace(AGREEMENT, pins=frozenset({key_digest(own)})))
    assert bench.policy.certificate(PARTNER, [own]) is None
    refusal = bench.policy.certificate(PARTNER, [renewed])
    assert refusal == Refusal("certificate-not-pinned", StanzaCondition.NOT_AUTHORIZED, "another key was agreed")
    assert rule_of(bench.policy.certificate(PARTNER, [b"no certificate"])) == "certificate-not-pinned"
