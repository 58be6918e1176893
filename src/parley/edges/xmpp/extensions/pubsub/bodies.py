"""What of a payload people can read without knowing its format (XEP-0060 §12.7): the texts of Atom entries."""

from __future__ import annotations

from typing import Final

from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import PayloadError

NS_ATOM: Final = "http://www.w3.org/2005/Atom"

_MAX_CHARACTERS: Final = 2000


def body_of(payload: bytes) -> str:
    """The title and the summary of an Atom entry; "" for any other payload."""
    if NS_ATOM.encode() not in payload:
        return ""
    try:
        tree = Element.from_bytes(payload).tree()
    except PayloadError:
        return ""
    if tree.tag != f"{{{NS_ATOM}}}entry":
        return ""
    texts = [" ".join((tree.findtext(f"{{{NS_ATOM}}}{name}") or "").split()) for name in ("title", "summary")]
    return "\n".join(text for text in texts if text)[:_MAX_CHARACTERS]
