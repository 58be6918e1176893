"""Who is typing."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0085",
    name="Chat State Notifications",
    version="2.1",
    status="passed on to clients, copied to other devices, never kept: edges/xmpp/delivery/traits.py",
)
