"""Errors that come back: who cannot be reached is not inside any more (XEP-0045 §7.14, §18.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_STANZAS

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import Inbound

_GONE: Final = frozenset(
    {
        "gone",
        "internal-server-error",
        "item-not-found",
        "jid-malformed",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
        "service-unavailable",
    }
)


def is_undeliverable(stanza: Inbound) -> bool:
    """Whether an error stanza says that its sender cannot be reached.

    Only for people of other servers: when a client of ours goes, we know it.
    """
    if stanza.host.router.is_local(stanza.sender):
        return False
    error = stanza.element.child(NS_CLIENT, "error")
    if error is None:
        return True
    try:
        tree = stanza.element.child_tree(error)
    except PayloadError:
        return True
    return any(child.tag == f"{{{NS_STANZAS}}}{condition}" for child in tree for condition in _GONE)
