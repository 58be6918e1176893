"""`Policy` by agreements: the domain's decisions in the words of streams and stanzas."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from parley.base import log as logs
from parley.domain import messages
from parley.domain.partners.agreements import Agreement, Mode, Rates, StanzaKind
from parley.domain.partners.decisions import (
    Presented,
    Rule,
    agreement_for,
    certificate_rule,
    stanza_rule,
    stream_rule,
)
from parley.domain.partners.floods import Meter, Patience
from parley.edges.xmpp.federation.ports import Direction, Kind, Permission, Refusal
from parley.protocols.xmpp.errors import StanzaCondition

if TYPE_CHECKING:
    from parley.base.clock import Clock
    from parley.base.config.federation import FederationSettings

log = logs.get(__name__)

_MOST_METERS: Final = 10_000
_WAYS: Final = MappingProxyType(
    {Direction.IN: messages.Direction.IN, Direction.OUT: messages.Direction.OUT},
)
_NOT_IN_FORCE: Final = "no agreement with that server is in force"
_TOLD: Final = MappingProxyType(
    {
        Rule.FEDERATION_CLOSED: (StanzaCondition.NOT_ALLOWED, "this server does not talk with others"),
        Rule.PARTNER_UNKNOWN: (StanzaCondition.NOT_ALLOWED, "there is no agreement with that server"),
        Rule.AGREEMENT_REVOKED: (StanzaCondition.NOT_ALLOWED, _NOT_IN_FORCE),
        Rule.AGREEMENT_NOT_STARTED: (StanzaCondition.NOT_ALLOWED, _NOT_IN_FORCE),
        Rule.AGREEMENT_EXPIRED: (StanzaCondition.NOT_ALLOWED, _NOT_IN_FORCE),
        Rule.DIRECTION_NOT_AGREED: (StanzaCondition.NOT_ALLOWED, "the agreement is for the other direction"),
        Rule.KIND_NOT_AGREED: (StanzaCondition.NOT_ALLOWED, "stanzas of this kind are not agreed"),
        Rule.TOO_LARGE: (StanzaCondition.POLICY_VIOLATION, "the stanza is too large"),
        Rule.CERTIFICATE_NOT_PINNED: (StanzaCondition.NOT_AUTHORIZED, "another key was agreed"),
        Rule.AUTHORITY_NOT_AGREED: (StanzaCondition.NOT_AUTHORIZED, "another authority was agreed"),
        Rule.FLOODING: (StanzaCondition.RESOURCE_CONSTRAINT, "too much was sent for too long"),
    }
)


class PartnerPolicy:
    """Who may talk with us, and how much; see the port. Agreements are handed in by `learn`.

    Args:
        settings: those in force.
        clock: for agreements' times, and for rates.
        publicly_trusted: digests (SHA-256) of the authorities that are trusted for everybody.
    """

    def __init__(
        self,
        settings: Callable[[], FederationSettings],
        clock: Clock,
        publicly_trusted: Callable[[], frozenset[bytes]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._publicly_trusted = publicly_trusted
        self._agreements: dict[str, Agreement] = {}
        self._meters: OrderedDict[str, Meter] = OrderedDict()

    def learn(self, agreements: Iterable[Agreement]) -> None:
        """From now on these hold, and no others."""
        self._agreements = {agreement.domain: agreement for agreement in agreements}
        self.configure()

    def configure(self) -> None:
        """Let the rates of the settings in force hold for those who are measured already."""
        now = self._clock.monotonic()
        for name, meter in self._meters.items():
            meter.configure(self._rates(self._agreements.get(name)), now)

    def agreement(self, domain: str) -> Agreement | None:
        """The agreement that a partner's domain falls under."""
        return agreement_for(domain, self._agreements)

    def cut_s(self, domain: str) -> float:
        """For how many more seconds a partner is cut off."""
        meter = self._meters.get(self._name(domain))
        return 0.0 if meter is None else meter.cut_s(self._clock.monotonic())

    # The port.

    def outgoing(self, domain: str) -> Permission | Refusal:
        """Whether we open streams to the partner and send it stanzas."""
        return self._stream(domain, Direction.OUT)

    def incoming(self, domain: str) -> Permission | Refusal:
        """Whether the partner may open streams to us and send us stanzas."""
        if self.cut_s(domain):
            return _refusal(Rule.FLOODING)
        return self._stream(domain, Direction.IN)

    def stanza(self, domain: str, direction: Direction, kind: Kind, size_bytes: int) -> Refusal | float:
        """Whether one stanza may pass; what comes in counts against the partner's rates."""
        settings, agreement = self._settings(), self.agreement(domain)
        rule = stream_rule(Mode(settings.mode), agreement, _WAYS[direction], self._clock.now_us()) or stanza_rule(
            agreement, StanzaKind(kind.value), size_bytes, settings.max_stanza_bytes
        )
        if direction is Direction.OUT:
            return 0.0 if rule is None else _refusal(rule)
        # What is refused has cost its reading, so it counts as well.
        wait_s, is_cut = self._measure(domain, size_bytes)
        if is_cut:
            return _refusal(Rule.FLOODING)
        return wait_s if rule is None else _refusal(rule)

    def certificate(self, domain: str, chain: Sequence[bytes]) -> Refusal | None:
        """Whether the partner may prove who it is by this certificate."""
        agreement = self.agreement(domain)
        presented = [_presented(certificate) for certificate in chain]
        own = _digests(() if agreement is None else agreement.authorities)
        agreed = _digests(self.authorities()) - self._publicly_trusted()
        rule = certificate_rule(agreement, presented, agreed, own)
        return None if rule is None else _refusal(rule)

    def authorities(self) -> Sequence[bytes]:
        """Certificates that agreements name, but for those that were revoked."""
        living = (each for each in self._agreements.values() if each.revoked_at is None)
        return tuple(dict.fromkeys(authority for each in living for authority in each.authorities))

    def _stream(self, domain: str, direction: Direction) -> Permission | Refusal:
        settings, agreement = self._settings(), self.agreement(domain)
        rule = stream_rule(Mode(settings.mode), agreement, _WAYS[direction], self._clock.now_us())
        if rule is not None:
            return _refusal(rule)
        return Permission(settings.dialback if agreement is None else agreement.is_dialback_allowed)

    # Rates.

    def _measure(self, domain: str, size_bytes: int) -> tuple[float, bool]:
        """Count a stanza; returns how long to read no further, and whether the partner is cut off."""
        name, now, patience = self._name(domain), self._clock.monotonic(), self._patience()
        meter = self._meters.get(name)
        if meter is None:
            meter = self._meters[name] = Meter(self._rates(self._agreements.get(name)), now)
        else:
            self._meters.move_to_end(name)
        if meter.cut_s(now):
            return 0.0, True
        wait_s = meter.take(size_bytes, now, patience)
        self._forget_idle(now, patience)
        cut_s = meter.cut_s(now)
        if cut_s:
            log.warning("a flooding partner is cut off", partner=name, cut_s=round(cut_s), cuts=meter.cuts)
        return wait_s, cut_s > 0

    def _forget_idle(self, now: float, patience: Patience) -> None:
        # Two looks for each that is new: the number of those that say nothing any more cannot grow.
        for name in list(self._meters)[:2]:
            if self._meters[name].is_idle(now, patience):
                del self._meters[name]
        if len(self._meters) > _MOST_METERS:
            self._meters.popitem(last=False)

    def _name(self, domain: str) -> str:
        """What a domain's rates are counted under: services share those of the agreement that they fall under."""
        agreement = self.agreement(domain)
        return domain if agreement is None else agreement.domain

    def _rates(self, agreement: Agreement | None) -> Rates:
        if agreement is not None and agreement.rates is not None:
            return agreement.rates
        settings = self._settings()
        return Rates(
            settings.partner_stanzas_per_s,
            settings.partner_burst_stanzas,
            settings.partner_bytes_per_s,
            settings.partner_burst_bytes,
        )

    def _patience(self) -> Patience:
        settings = self._settings()
        return Patience(settings.flood_after_s, settings.cut_min_s, settings.cut_max_s, settings.forgive_after_s)


def key_digest(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4); raises ValueError for what is no certificate."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _presented(certificate: bytes) -> Presented:
    try:
        key = key_digest(certificate)
    except ValueError:
        # A key of a kind that is not known here is one that nobody pinned.
        key = b""
    return Presented(hashlib.sha256(certificate).digest(), key)


def _digests(certificates: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(hashlib.sha256(certificate).digest() for certificate in certificates)


def _refusal(rule: Rule) -> Refusal:
    condition, text = _TOLD[rule]
    return Refusal(rule.value, condition, text, ends_streams=rule is Rule.FLOODING)
