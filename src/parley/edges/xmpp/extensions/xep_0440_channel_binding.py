"""Which channel bindings SCRAM can use."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0440",
    name="SASL Channel-Binding Type Capability",
    version="0.4.2",
    status="complete, in protocols/xmpp/c2s.py",
)
