"""End-to-end encryption, which is the clients' business."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0384",
    name="OMEMO Encryption",
    version="0.8.3",
    status="device lists and bundles of both versions are personal nodes; messages are kept and copied sealed",
)
