"""The older forms of bookmarks show the same: `profile/bookmarks.py` keeps them in step."""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.extension import Extension

_NS_CONVERSION: Final = "urn:xmpp:bookmarks-conversion:0"

EXTENSION = Extension(
    spec="XEP-0411",
    name="Bookmarks Conversion",
    version="1.1.0",
    account_features=(_NS_CONVERSION,),
)
