"""Forms inside other payloads."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0004",
    name="Data Forms",
    version="2.13.1",
    status="forms without tables of results: protocols/xmpp/dataforms.py",
)
