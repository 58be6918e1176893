"""Agreements as documents of plain values, for storing, and for showing to operators."""

from __future__ import annotations

import base64
from typing import Any

from parley.domain.messages import Direction
from parley.domain.partners.agreements import Agreement, Rates, StanzaKind

Document = dict[str, Any]


def to_document(agreement: Agreement) -> Document:
    """The agreement in words, numbers and lists that JSON knows; the same agreement gives the same document."""
    rates = agreement.rates
    return {
        "domain": agreement.domain,
        "directions": sorted(agreement.directions),
        "kinds": sorted(agreement.kinds),
        "pins": sorted(pin.hex() for pin in agreement.pins),
        "authorities": [base64.b64encode(each).decode() for each in agreement.authorities],
        "max_stanza_bytes": agreement.max_stanza_bytes,
        "rates": None
        if rates is None
        else {
            "stanzas_per_s": rates.stanzas_per_s,
            "burst_stanzas": rates.burst_stanzas,
            "bytes_per_s": rates.bytes_per_s,
            "burst_bytes": rates.burst_bytes,
        },
        "starts_at": agreement.starts_at,
        "expires_at": agreement.expires_at,
        "is_for_services": agreement.is_for_services,
        "is_dialback_allowed": agreement.is_dialback_allowed,
        "note": agreement.note,
        "revoked_at": agreement.revoked_at,
    }


def from_document(document: Document) -> Agreement:
    """The agreement that `to_document` wrote; raises KeyError, TypeError or ValueError for anything else."""
    return Agreement(
        domain=document["domain"],
        directions=frozenset(Direction(word) for word in document["directions"]),
        kinds=frozenset(StanzaKind(word) for word in document["kinds"]),
        pins=frozenset(bytes.fromhex(pin) for pin in document["pins"]),
        authorities=tuple(base64.b64decode(each, validate=True) for each in document["authorities"]),
        max_stanza_bytes=document["max_stanza_bytes"],
        rates=None if document["rates"] is None else Rates(**document["rates"]),
        starts_at=document["starts_at"],
        expires_at=document["expires_at"],
        is_for_services=document["is_for_services"],
        is_dialback_allowed=document["is_dialback_allowed"],
        note=document["note"],
        revoked_at=document["revoked_at"],
    )
