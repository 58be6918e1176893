"""Forms in service discovery: extensions declare them, `xep_0030_disco.py` shows them."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0128",
    name="Service Discovery Extensions",
    version="1.0.1",
)
