"""Pages of results."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0059",
    name="Result Set Management",
    version="1.0",
    status="complete for archives, inboxes and items of nodes: protocols/xmpp/rsm.py",
)
