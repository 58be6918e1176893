"""How a client finds the WebSocket."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0156",
    name="Discovering Alternative XMPP Connection Methods",
    version="1.4.0",
    status="host-meta in XML and JSON, served by edges/http",
)
