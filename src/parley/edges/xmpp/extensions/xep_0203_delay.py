"""When a stanza was first sent."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0203",
    name="Delayed Delivery",
    version="2.0",
    status="complete: put on what waited and on what comes from the archive, edges/xmpp/delivery/decoration.py",
)
