"""Messages taken back by a room's moderators."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0425",
    name="Moderated Message Retraction",
    version="0.3.0",
    status="complete, with tombstones: edges/xmpp/rooms/retraction.py",
)
