"""One stream for both directions between servers: `edges/xmpp/federation`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0288",
    name="Bidirectional Server-to-Server Connections",
    version="1.0.1",
    status="complete",
    is_enabled=lambda settings: settings.is_federated,
)
