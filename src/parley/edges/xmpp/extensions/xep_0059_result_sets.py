"""Pages of results."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0059",
    name="Result Set Management",
    version="1.0",
    status="for items of nodes, and for the archive, which does not find pages by number: protocols/xmpp/rsm.py",
)
