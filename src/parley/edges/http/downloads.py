"""`/blob/{id}/{capability}/{file name}`: complete contents, whole or in ranges."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from parley.base import ids
from parley.base.clock import Clock
from parley.domain.errors import NotFound
from parley.domain.ports import BlobStore, UploadStore
from parley.domain.uploads import Upload, UploadState
from parley.edges.http import cors
from parley.edges.http.errors import Refusal, method_not_allowed, not_found
from parley.edges.http.exchange import Exchange, Headers
from parley.edges.http.slots import is_capability
from parley.ops.metrics import Metrics
from parley.protocols.http import media
from parley.protocols.http.preconditions import Validators, Verdict, evaluate, http_date, range_applies
from parley.protocols.http.ranges import MAX_RANGES, Span, content_range, parse_range, resolve
from parley.storage.partials import UPLOAD_ID

METHODS = ("GET", "HEAD", "OPTIONS")

_SECOND = 1_000_000
_ONE_YEAR_S = 365 * 24 * 3600
# Should a browser show the content after all, then in an origin of its own and without anything active.
_SANDBOX = "sandbox; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'"


class DownloadRoutes:
    """Answers under `/blob`.

    Args:
        rows: the uploads.
        blobs: their contents.
        clock: for expiry.
        metrics: counts the bytes.
        new_boundary: makes what separates the parts of several ranges.
        max_ranges: so many in one request are served; with more, all of the content is sent.
    """

    def __init__(
        self,
        rows: UploadStore,
        blobs: BlobStore,
        clock: Clock,
        metrics: Metrics,
        *,
        new_boundary: Callable[[], str] = ids.token,
        max_ranges: int = MAX_RANGES,
    ) -> None:
        self._rows = rows
        self._blobs = blobs
        self._clock = clock
        self._metrics = metrics
        self._new_boundary = new_boundary
        self.max_ranges = max_ranges

    async def __call__(self, exchange: Exchange, parts: list[str]) -> None:
        """Answer a request; `parts` of the path behind `/blob`: id, capability, the rest being the file name."""
        cors.share(exchange)
        if cors.is_preflight(exchange):
            await cors.answer_preflight(exchange, *METHODS)
            return
        if exchange.method not in ("GET", "HEAD"):
            raise method_not_allowed(*METHODS)
        upload = await self._find(parts)
        validators = Validators(f'"{upload.digest.hex()}"', upload.created_at // _SECOND)
        verdict = evaluate(exchange.header, validators)
        if verdict is Verdict.FAILED:
            raise Refusal(412, "precondition-failed")
        if verdict is Verdict.NOT_MODIFIED:
            await exchange.reply(304, self._headers(upload, validators))
        else:
            await self._send(exchange, upload, validators)

    async def _find(self, parts: list[str]) -> Upload:
        upload_id, capability = (*parts, "", "")[:2]
        upload = await self._rows.find(upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
        # Unknown, not complete, expired, wrong capability: all look the same.
        if upload is None or not is_capability(capability, upload.get_digest):
            raise not_found()
        if upload.state is not UploadState.COMPLETE or self._clock.now_us() >= upload.expires_at:
            raise not_found()
        return upload

    def _headers(self, upload: Upload, validators: Validators) -> Headers:
        seconds_left = (upload.expires_at - self._clock.now_us()) // _SECOND
        return (
            ("etag", validators.etag),
            ("last-modified", http_date(upload.created_at // _SECOND)),
            ("cache-control", f"private, max-age={min(seconds_left, _ONE_YEAR_S)}, immutable"),
            ("accept-ranges", "bytes"),
        )

    async def _send(self, exchange: Exchange, upload: Upload, validators: Validators) -> None:
        content_type = upload.content_type or "application/octet-stream"
        spans = _spans(exchange, upload, validators, self.max_ranges)
        whole = Span(0, upload.size_bytes)
        headers = [
            *self._headers(upload, validators),
            ("content-disposition", media.content_disposition(upload.filename, media.is_inline_safe(content_type))),
            ("content-security-policy", _SANDBOX),
            ("referrer-policy", "no-referrer"),
        ]
        if spans is not None and len(spans) > 1:
            boundary = self._new_boundary()
            headers.append(("content-type", f"multipart/byteranges; boundary={boundary}"))
            await self._stream(exchange, upload, 206, headers, _multipart(spans, upload, content_type, boundary))
            return
        headers.append(("content-type", content_type))
        if exchange.method == "HEAD":
            await exchange.reply_head(200, headers, whole.size_bytes)
        elif spans is None:
            await self._stream(exchange, upload, 200, headers, [whole])
        else:
            headers.append(("content-range", content_range(spans[0], upload.size_bytes)))
            await self._stream(exchange, upload, 206, headers, [spans[0]])

    async def _stream(
        self,
        exchange: Exchange,
        upload: Upload,
        status: int,
        headers: Headers,
        parts: Sequence[Span | bytes],
    ) -> None:
        size_bytes = sum(len(part) if isinstance(part, bytes) else part.size_bytes for part in parts)
        async with aclosing(self._pieces(upload, parts)) as pieces:
            try:
                # The first piece before the status: a content that has just gone is still a 404.
                first = await anext(pieces)
            except NotFound:
                raise not_found() from None
            sent = await exchange.stream(status, headers, size_bytes, _chain(first, pieces))
        self._metrics.downloaded(sent)

    async def _pieces(self, upload: Upload, parts: Sequence[Span | bytes]) -> AsyncGenerator[bytes]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
                continue
            async with aclosing(self._blobs.read(upload.digest, part.start, part.end)) as pieces:
                async for piece in pieces:
                    yield piece


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _spans(exchange: Exchange, upload: Upload, validators: Validators, max_ranges: int) -> tuple[Span, ...] | None:
    """Return what to send of the content, None for all of it."""
    value = exchange.header("range")
    # RFC 9110 §14.2: Range has a meaning only for GET.
    if value is None or exchange.method != "GET" or not range_applies(exchange.header("if-range"), validators):
        return None
    specs = parse_range(value, max_ranges)
    if specs is None:
        return None
    spans = resolve(specs, upload.size_bytes)
    if not spans:
        raise Refusal(416, "range-not-satisfiable", ("content-range", content_range(None, upload.size_bytes)))
    return spans


def _multipart(spans: Sequence[Span], upload: Upload, content_type: str, boundary: str) -> list[Span | bytes]:
    """Lay out a `multipart/byteranges` body (RFC 9110 §14.6)."""
    parts: list[Span | bytes] = []
    for span in spans:
        head = (
            f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Range: {content_range(span, upload.size_bytes)}\r\n\r\n"
        )
        parts += [head.encode(), span]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return parts
