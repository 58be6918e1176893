"""Avatars are published at nodes of the account; `xep_0398_avatar_conversion.py` puts them on its card as well."""

from __future__ import annotations

from parley.edges.xmpp.extension import Extension

EXTENSION = Extension(
    spec="XEP-0084",
    name="User Avatar",
    version="1.1.4",
)
