"""What stays of a message that its author took back (XEP-0424 §5)."""

from __future__ import annotations

from collections.abc import Callable

from parley.edges.xmpp.delivery.traits import NS_RETRACT
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import PayloadError


def tombstone(retraction_id: str, at: int) -> Callable[[bytes], bytes]:
    """A function that makes a stanza its tombstone: who and to whom, and that it was retracted.

    Args:
        retraction_id: the id of the stanza that retracts it.
        at: when, in microseconds since the epoch.
    """
    retracted = xml("retracted", {"xmlns": NS_RETRACT, "id": retraction_id, "stamp": format_datetime(at)})

    def stone(stanza: bytes) -> bytes:
        try:
            attrs = Element.from_bytes(stanza).attrs
        except PayloadError:
            # It was passed on without a look inside, and nothing of it may stay.
            attrs = {}
        return xml("message", {name: attrs[name] for name in ("from", "to", "type", "id") if name in attrs}, retracted)

    return stone
