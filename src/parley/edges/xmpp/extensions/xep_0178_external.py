"""Certificates that prove a server's name: `protocols/xmpp/s2s_incoming.py`, `base/net/identities.py`."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0178",
    name="Best Practices for Use of SASL EXTERNAL with Certificates",
    version="1.2",
    status="complete for servers",
    is_enabled=lambda settings: settings.is_federated,
)
