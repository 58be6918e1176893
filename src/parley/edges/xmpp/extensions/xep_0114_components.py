"""External components, declared for the reference; they connect in `edges/xmpp/components.py`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0114",
    name="Jabber Component Protocol",
    version="1.6",
    is_enabled=lambda settings: bool(settings.components),
)
