"""Cross-origin access (the Fetch standard's CORS protocol) for addresses that are capabilities.

Who knows such an address may use it from anywhere; cookies and other credentials play no part, so that any origin is as
good as none.
"""

from __future__ import annotations

from parley.edges.http.exchange import Exchange

_EXPOSED = (
    "Location, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata, Tus-Resumable, Tus-Version, "
    "Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, ETag, Accept-Ranges, Content-Range, Content-Disposition, "
    "Retry-After"
)
_ACCEPTED = (
    "Authorization, Content-Type, Content-Digest, Repr-Digest, Digest, Tus-Resumable, Upload-Offset, Upload-Length, "
    "Upload-Metadata, Upload-Checksum, X-HTTP-Method-Override, X-Requested-With, Range, If-Range, If-Match, "
    "If-None-Match, If-Modified-Since, If-Unmodified-Since"
)


def share(exchange: Exchange) -> None:
    """Let pages of every origin read the reply, whatever it will be."""
    exchange.add_header("access-control-allow-origin", "*")
    exchange.add_header("access-control-expose-headers", _EXPOSED)
    exchange.add_header("cross-origin-resource-policy", "cross-origin")


def is_preflight(exchange: Exchange) -> bool:
    """Tell whether this is a browser's question before a cross-origin request."""
    return exchange.method == "OPTIONS" and exchange.header("access-control-request-method") is not None


async def answer_preflight(exchange: Exchange, *methods: str) -> None:
    """Answer it: these methods, and the headers of uploads and downloads."""
    headers = (
        ("access-control-allow-methods", ", ".join(methods)),
        ("access-control-allow-headers", _ACCEPTED),
        ("access-control-max-age", "86400"),
    )
    await exchange.reply(204, headers)
