"""The recipient has seen it."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0333",
    name="Displayed Markers",
    version="0.4.1",
    status="passed on to clients and kept like messages: edges/xmpp/delivery/traits.py; the inbox counts by them",
)
