"""A stanza inside another."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0297",
    name="Stanza Forwarding",
    version="1.0",
    status="complete for copies and the archive: edges/xmpp/delivery/decoration.py",
)
