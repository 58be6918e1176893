"""The recipient has it."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0184",
    name="Message Delivery Receipts",
    version="1.4.0",
    status="passed on to clients and kept like messages: edges/xmpp/delivery/traits.py",
)
