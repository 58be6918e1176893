"""Searching an archive for words: a field of its queries, answered by `xep_0313_mam.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension

if TYPE_CHECKING:
    from parley.base.config import Settings


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled and settings.archive.full_text


EXTENSION = Extension(
    spec="XEP-0431",
    name="Full Text Search in MAM",
    version="0.2.0",
    status="off unless `archive.full_text` is set; whole words of what is not sealed, without case and accents",
    is_enabled=_is_enabled,
    account_features=("urn:xmpp:fulltext:0",),
)
