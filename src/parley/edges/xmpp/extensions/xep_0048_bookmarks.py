"""Bookmarks in private storage and in one item: the same that `xep_0402_bookmarks.py` has one by one."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0048",
    name="Bookmarks",
    version="1.2",
    status="rooms; bookmarks of web pages are not kept",
)
