"""XMPP over WebSocket."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="RFC 7395",
    name="XMPP Subprotocol for WebSocket",
    version="2014-10",
    status="complete; framing in protocols/xmpp/framing.py, the same connection as over TCP behind it",
)
