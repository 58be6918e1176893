"""Who is who in a room, whatever the nickname."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0421",
    name="Occupant identifiers for semi-anonymous MUCs",
    version="1.0.0",
    status="complete: edges/xmpp/rooms/rendering.py",
)
