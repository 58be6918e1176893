"""What a sender wants done with a message."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0334",
    name="Message Processing Hints",
    version="0.4.0",
    status="complete: edges/xmpp/delivery/traits.py heeds store, no-store, no-permanent-store and no-copy",
)
