"""Streams, authentication, stanzas and their errors."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="RFC 6120",
    name="XMPP Core",
    version="2011-03",
    status="complete for clients, in protocols/xmpp/c2s.py and edges/xmpp; without other servers",
)
