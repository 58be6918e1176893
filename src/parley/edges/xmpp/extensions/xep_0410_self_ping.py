"""A client asks whether it is still in a room."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0410",
    name="MUC Self-Ping",
    version="1.1.0",
    status="complete, answered by the room itself: edges/xmpp/rooms/passing.py",
)
