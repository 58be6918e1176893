"""Servers whose certificate does not prove their name: `edges/xmpp/federation`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0220",
    name="Server Dialback",
    version="1.1.1",
    status="complete; without TLS it is refused",
    is_enabled=lambda settings: settings.is_federated,
)
