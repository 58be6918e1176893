"""Encrypted files, which are the clients' business."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0454",
    name="OMEMO Media sharing",
    version="0.1.1",
    status="the encrypted file is uploaded and fetched like any other; its key travels in the sealed message",
)
