from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.errors import Refused
from parley.domain.messages import Direction
from parley.domain.partners.agreements import Agreement, Rates, StanzaKind, checked
from parley.domain.partners.documents import from_document, to_document

AGREEMENT = Agreement("partner.example")

rates = st.builds(Rates, *[st.floats(1, 1e9)] * 4)
agreements = st.builds(
    Agreement,
    domain=st.just("partner.example"),
    directions=st.frozensets(st.sampled_from(Direction), min_size=1),
    kinds=st.frozensets(st.sampled_from(StanzaKind), min_size=1),
    pins=st.frozensets(st.binary(min_size=32, max_size=32), max_size=2),
    authorities=st.lists(st.binary(max_size=40), max_size=2).map(tuple),
    max_stanza_bytes=st.none() | st.integers(10_000, 1 << 24),
    rates=st.none() | rates,
    starts_at=st.none() | st.integers(0, 1 << 50),
    expires_at=st.none() | st.integers(0, 1 << 50),
    is_for_services=st.booleans(),
    is_dialback_allowed=st.booleans(),
    note=st.text(max_size=20),
    revoked_at=st.none() | st.integers(0, 1 << 50),
)


@given(agreements)
def test_a_document_gives_the_agreement_back(agreement: Agreement) -> None:
    assert from_document(json.loads(json.dumps(to_document(agreement)))) == agreement


@pytest.mark.parametrize(
    "faulty",
    [
        replace(AGREEMENT, directions=frozenset()),
        replace(AGREEMENT, kinds=frozenset()),
        replace(AGREEMENT, pins=frozenset({b"short"})),
        replace(AGREEMENT, max_stanza_bytes=9_999),
        replace(AGREEMENT, rates=Rates(0.5, 10, 1000, 1000)),
        replace(AGREEMENT, starts_at=20, expires_at=20),
        replace(AGREEMENT, is_dialback_allowed=True, authorities=(b"certificate",)),
        replace(AGREEMENT, is_dialback_allowed=True, pins=frozenset({b"p" * 32})),
    ],
)
def test_what_makes_no_sense_is_refused(faulty: Agreement) -> None:
    assert checked(AGREEMENT) is AGREEMENT
    with pytest.raises(Refused) as caught:
        checked(faulty)
    assert caught.value.code == "agreement-invalid"
