"""What is behind the links that clients send."""

from __future__ import annotations

import asyncio
import urllib.request


async def fetched(link: str) -> bytes:
    """What the server of a link answers. Raises OSError for every status from 400 on."""
    return await asyncio.to_thread(_get, link)


def _get(link: str) -> bytes:
    with urllib.request.urlopen(link, timeout=30) as answer:
        return bytes(answer.read())
