"""Server dialback (XEP-0220): its elements, and keys that need no memory (XEP-0185)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import JIDError, PayloadError, StanzaCondition
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_STANZAS

if TYPE_CHECKING:
    from parley.protocols.xmpp.element import Element

_LONGEST_KEY: Final = 1024

REMOTE_CONNECTION_FAILED: Final = "remote-connection-failed"
"""A condition that errors of dialback have and those of stanzas have not (XEP-0220 §2.5)."""
_CONDITIONS: Final = frozenset({REMOTE_CONNECTION_FAILED, *StanzaCondition})


def dialback_key(secret: bytes, receiving: str, originating: str, stream_id: str) -> str:
    """The key by which an originating server later recognises a stream of its own (XEP-0185 §3).

    Args:
        secret: known to all servers that answer for the originating domain.
        receiving, originating: the domains.
        stream_id: what the receiving server called the stream.
    """
    derived = hashlib.sha256(secret).hexdigest().encode()
    return hmac.new(derived, f"{receiving} {originating} {stream_id}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Dialback:
    """`<db:result/>` or `<db:verify/>`, a question when `type` is "" and an answer otherwise.

    Attributes:
        name: `result` or `verify`.
        sender, to: domains.
        type: "", `valid`, `invalid` or `error`.
        id: the stream that a `verify` is about.
        key: of a question.
        condition: of an error, as the peer names it, or "".
    """

    name: str
    sender: str
    to: str
    type: str = ""
    id: str = ""
    key: str = ""
    condition: str = ""

    def to_bytes(self) -> bytes:
        """The element, for a stream whose header declares the prefix `db`."""
        # XEP-0220 §2: elements MUST have the prefix that the stream header declares; some servers know no other.
        name = f"db:{self.name}"
        attrs = {"from": self.sender, "to": self.to, "id": self.id or None, "type": self.type or None}
        if self.type != "error":
            return xml(name, attrs, self.key)
        # §2.5: the error is of jabber:server, as stanzas are.
        condition = self.condition or StanzaCondition.UNDEFINED_CONDITION.value
        return xml(name, attrs, xml("error", {"type": "cancel"}, xml(condition, {"xmlns": NS_STANZAS})))


def parse_dialback(element: Element) -> Dialback:
    """Read an element of the dialback namespace.

    Raises:
        PayloadError: it is neither kind, or an address, the id or the key is missing or malformed.
    """
    sender, to, kind = _domain(element.from_), _domain(element.to), element.type or ""
    if element.name not in {"result", "verify"} or kind not in {"", "valid", "invalid", "error"}:
        raise PayloadError("not an element of dialback")
    if element.name == "verify" and not element.id:
        raise PayloadError("it says not which stream it is about")
    tree = element.tree()
    key = (tree.text or "").strip() if not kind else ""
    if not kind and not 0 < len(key) <= _LONGEST_KEY:
        raise PayloadError("there is no key")
    condition = ""
    if kind == "error":
        found = tree.find(f".//{{{NS_STANZAS}}}*")
        name = "" if found is None else str(found.tag).rpartition("}")[2]
        condition = name if name in _CONDITIONS else ""
    return Dialback(element.name, sender, to, kind, element.id or "", key, condition)


def _domain(address: str | None) -> str:
    try:
        jid = JID.parse(address or "")
    except JIDError as error:
        raise PayloadError("an address is missing or malformed") from error
    if jid.local or jid.resource:
        raise PayloadError("an address is not a domain's")
    return jid.domain
