"""The web app's files, read once and served from memory.

The files are known when the server starts, so that no path that a stranger names ever reaches the disk.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parley.base.config.values import origin_of
from parley.edges.http.discovery import websocket_url
from parley.edges.http.errors import method_not_allowed, not_found
from parley.edges.http.exchange import Exchange, Headers
from parley.protocols.http import media
from parley.protocols.http.preconditions import Validators, Verdict, evaluate

_CODINGS = {"br": ".br", "gzip": ".gz"}
_HASHED = re.compile(r"/assets/.*[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_TYPES = {".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".js": "text/javascript"}
_TEXT = re.compile(r"text/.*|application/(?:json|manifest\+json)|image/svg\+xml")
_ABSENT = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Parley</title>"
    b"<h1>Parley</h1><p>The server is running; its web app has not been built."
)


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    cache_control: str
    etag: str
    body: bytes
    encoded: Mapping[str, bytes]


class WebApp:
    """Answers everything that no other route wants.

    Args:
        folder: the build's output; files beside it named `*.br` and `*.gz` are their compressed forms.
        public_url: where this server is reached, without a final slash; pages may talk to it.
        connect_sources: what else pages may fetch from, as sources of a Content-Security-Policy.

    Raises:
        OSError: a file cannot be read.
    """

    def __init__(self, folder: Path, public_url: str, connect_sources: tuple[str, ...] = ()) -> None:
        self._files = dict(_read(folder)) if folder.is_dir() else {}
        self._headers = security_headers(public_url, connect_sources)

    @property
    def is_built(self) -> bool:
        """Whether there is a web app to serve."""
        return "/index.html" in self._files

    async def __call__(self, exchange: Exchange) -> None:
        """Send a file; the start page for every address of the app itself."""
        file = self._find(exchange)
        if exchange.method not in ("GET", "HEAD"):
            raise method_not_allowed("GET", "HEAD")
        coding = media.pick_coding(exchange.header("accept-encoding"), tuple(file.encoded))
        # RFC 9110 §8.8.3.3: each coding is a representation of its own and needs its own strong tag.
        etag = f'"{file.etag}-{coding}"' if coding else f'"{file.etag}"'
        headers = [*self._headers, ("cache-control", file.cache_control), ("etag", etag), ("vary", "accept-encoding")]
        if evaluate(exchange.header, Validators(etag, None)) is Verdict.NOT_MODIFIED:
            await exchange.reply(304, headers)
            return
        headers.append(("content-type", file.content_type))
        if coding:
            headers.append(("content-encoding", coding))
        await exchange.reply(200, headers, file.encoded[coding] if coding else file.body)

    def _find(self, exchange: Exchange) -> _File:
        path = exchange.path
        file = self._files.get("/index.html" if path == "/" else path)
        if file is None and "." not in path.rpartition("/")[2] and exchange.method in ("GET", "HEAD"):
            # An address inside the app: the app itself looks at it.
            file = self._files.get("/index.html") or _file("index.html", _ABSENT, {})
        if file is None:
            raise not_found()
        return file


def security_headers(public_url: str, connect_sources: tuple[str, ...] = ()) -> Headers:
    """Return the headers that bound what the web app's pages may do.

    Scripts only from here (WebAssembly for audio processing included); workers and worklets from here or made by the
    page; media and pictures that were decrypted in the page as `blob:`; connections to this server.
    """
    origin = origin_of(public_url)
    connect = " ".join(("'self'", "blob:", origin, websocket_url(origin), *connect_sources))
    policy = (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        f"connect-src {connect}",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    headers = [
        ("content-security-policy", "; ".join(policy)),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", "microphone=(self), camera=(), geolocation=(), payment=(), usb=(), browsing-topics=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ]
    if origin.startswith("https:"):
        headers.append(("strict-transport-security", "max-age=31536000"))
    return headers


def _read(folder: Path) -> Iterator[tuple[str, _File]]:
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name, path in sorted(names.items()):
        if path.suffix in _CODINGS.values() and name.removesuffix(path.suffix) in names:
            continue
        found = {coding: names.get(name + suffix) for coding, suffix in _CODINGS.items()}
        encoded = {coding: other.read_bytes() for coding, other in found.items() if other is not None}
        yield "/" + name, _file(name, path.read_bytes(), encoded)


def _file(name: str, body: bytes, encoded: Mapping[str, bytes]) -> _File:
    suffix = "." + name.rpartition(".")[2]
    content_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if _TEXT.fullmatch(content_type):
        content_type += "; charset=utf-8"
    etag = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:15]).decode()
    is_hashed = _HASHED.fullmatch("/" + name) is not None
    return _File(content_type, _IMMUTABLE if is_hashed else "no-cache", etag, body, encoded)
