"""Pictures of rooms."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0486",
    name="MUC Avatars",
    version="0.1.0",
    status="complete: edges/xmpp/rooms/avatars.py",
)
