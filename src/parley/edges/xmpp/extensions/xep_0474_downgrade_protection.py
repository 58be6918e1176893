"""SCRAM messages that prove which mechanisms and channel bindings were offered, so that nobody can leave some out."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0474",
    name="SASL SCRAM Downgrade Protection",
    version="0.5.0",
    status="complete, in protocols/xmpp/scram.py",
)
