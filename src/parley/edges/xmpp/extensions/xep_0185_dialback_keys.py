"""Keys of dialback: `protocols/xmpp/dialback.py`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0185",
    name="Dialback Key Generation and Validation",
    version="1.0",
    status="complete",
    is_enabled=lambda settings: settings.is_federated,
)
