"""What the server adds to a message on its way to one recipient."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import insert_children, opening_tag_end, to_frame, xml
from parley.protocols.xmpp.namespaces import NS_CARBONS, NS_DELAY, NS_FORWARD, NS_STANZA_IDS

_ATTRIBUTE: Final = re.compile(rb"""\s([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
# Nothing else is copied; a message without a type, or with one that nobody knows, is a normal one (RFC 6121 §5.2.2).
_COPIED_TYPES: Final = frozenset({"chat", "normal"})


def with_stanza_id(stanza: bytes, by: str, stanza_id: str) -> bytes:
    """The message with the id that the archive of `by` knows it under (XEP-0359 §3); without one, as it is."""
    if not stanza_id:
        return stanza
    return insert_children(stanza, b'%b%b"/>' % (_stanza_id_by(by), stanza_id.encode()))


@lru_cache(maxsize=4096)
def _stanza_id_by(by: str) -> bytes:
    # Up to the id, which is one of ours and needs no escapes: it is added to every message.
    return xml("stanza-id", {"xmlns": NS_STANZA_IDS, "by": by, "id": ""}).removesuffix(b'"/>')


def delay(by: str, at: int) -> bytes:
    """A delay element (XEP-0203); `at` in microseconds since the epoch."""
    return xml("delay", {"xmlns": NS_DELAY, "from": by, "stamp": format_datetime(at)})


def delayed(stanza: bytes, by: str, at: int) -> bytes:
    """The stanza, marked as having waited at `by` since `at`, in microseconds since the epoch."""
    return insert_children(stanza, delay(by, at))


def forwarded(stanza: bytes, *extra: bytes) -> bytes:
    """The stanza inside `<forwarded/>` (XEP-0297), behind `extra` such as a delay."""
    return xml("forwarded", {"xmlns": NS_FORWARD}, *extra, to_frame(stanza))


def carbon(direction: str, stanza: bytes, account: str, to: str) -> bytes:
    """A carbon copy (XEP-0280 §7): `direction` is `sent` or `received`, `account` the bare address it comes from."""
    copy = xml(direction, {"xmlns": NS_CARBONS}, forwarded(stanza))
    # XEP-0280 §7: the type SHOULD be that of the original.
    return xml("message", {"from": account, "to": to, "type": _type_of(stanza)}, copy)


def _type_of(message: bytes) -> str | None:
    for name, value in _ATTRIBUTE.findall(message, 0, opening_tag_end(message, 0)):
        if name == b"type":
            kind = value[1:-1].decode()
            return kind if kind in _COPIED_TYPES else None
    return None
