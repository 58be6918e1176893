"""`/upload/{id}/{capability}/{file name}`: one plain PUT (XEP-0363) or tus 1.0, on the same address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from parley.domain.uploads import Upload, UploadState
from parley.edges.http import cors
from parley.edges.http.errors import Refusal, method_not_allowed
from parley.edges.http.exchange import Exchange
from parley.edges.http.receiving import Expected, Uploads
from parley.edges.http.slots import UploadLimits
from parley.protocols.http import digests, media, tus
from parley.protocols.http.preconditions import http_date

METHODS = ("OPTIONS", "HEAD", "PATCH", "POST", "DELETE", "PUT")

_NO_STORE = ("cache-control", "no-store")
_Handler = Callable[[Exchange, Upload, str], Awaitable[None]]


class UploadRoutes:
    """Answers under `/upload`.

    Args:
        uploads: receives and completes.
        limits: announced to clients.
        public_url: what `Location` starts with, without a final slash.
    """

    def __init__(self, uploads: Uploads, limits: UploadLimits, public_url: str) -> None:
        self._uploads = uploads
        self._limits = limits
        self._public_url = public_url
        self._tus: dict[str, _Handler] = {
            "HEAD": self._head,
            "PATCH": self._patch,
            "POST": self._create,
            "DELETE": self._terminate,
        }

    async def __call__(self, exchange: Exchange, parts: list[str]) -> None:
        """Answer a request.

        Args:
            exchange: the request.
            parts: of the path behind `/upload`: id, capability, the rest being the file name. Fewer for `/upload`.
        """
        cors.share(exchange)
        # tus 1.0, X-HTTP-Method-Override: the header's method MUST be used, the actual one ignored.
        method = exchange.header("x-http-method-override") or exchange.method
        if cors.is_preflight(exchange):
            await cors.answer_preflight(exchange, *METHODS)
        elif method == "OPTIONS":
            await self._options(exchange)
        elif method == "PUT":
            await self._put(exchange, await self._find(parts))
        elif method in self._tus:
            _check_version(exchange)
            upload = await self._find(parts)
            address = "/".join(("", "upload", *(quote(part, safe="") for part in parts)))
            await self._tus[method](exchange, upload, self._public_url + address)
        else:
            raise method_not_allowed(*METHODS)

    async def _find(self, parts: list[str]) -> Upload:
        upload_id, capability = (*parts, "", "")[:2]
        return await self._uploads.find(upload_id, capability)

    async def _options(self, exchange: Exchange) -> None:
        headers = (
            ("allow", ", ".join(METHODS)),
            ("tus-resumable", tus.VERSION),
            ("tus-version", tus.VERSION),
            ("tus-extension", ",".join(tus.EXTENSIONS)),
            ("tus-max-size", str(self._limits.max_size_bytes)),
            ("tus-checksum-algorithm", ",".join(tus.CHECKSUM_SIZES)),
        )
        await exchange.reply(204, headers)

    async def _put(self, exchange: Exchange, upload: Upload) -> None:
        expected = _check_put(exchange, upload)
        async with self._uploads.hold(upload, exchange, takes_over=False):
            upload = await self._uploads.current(upload.id)
            if upload.state is UploadState.COMPLETE:
                if not await self._uploads.is_same(upload, exchange.piece):
                    raise Refusal(409, "upload-complete")
                status = 200
            else:
                upload = await self._uploads.restart(upload)
                upload = await self._uploads.receive(upload, exchange.piece, expected, is_bounded=True)
                status = 201
        if upload.state is not UploadState.COMPLETE:
            raise Refusal(400, "wrong-length")
        await exchange.reply(status, (_NO_STORE,))

    async def _head(self, exchange: Exchange, upload: Upload, address: str) -> None:
        # A HEAD comes before resuming: the connection that still holds the upload is dead to this client.
        async with self._uploads.hold(upload, exchange, takes_over=True):
            upload = await self._uploads.current(upload.id)
        # tus 1.0, HEAD: `Cache-Control: no-store` MUST be there.
        headers = (("upload-length", str(upload.size_bytes)), _NO_STORE)
        await exchange.reply(200, (*self._progress(upload), *headers))

    async def _patch(self, exchange: Exchange, upload: Upload, address: str) -> None:
        # tus 1.0, PATCH: other types SHOULD be answered with 415.
        if media.essence(exchange.header("content-type") or "") != tus.CONTENT_TYPE:
            raise Refusal(415, "wrong-type")
        offset = tus.parse_number("Upload-Offset", exchange.header("upload-offset"))
        async with self._uploads.hold(upload, exchange, takes_over=False):
            upload = await self._append(exchange, await self._uploads.current(upload.id), offset)
        await exchange.reply(204, (*self._progress(upload), _NO_STORE))

    async def _append(self, exchange: Exchange, upload: Upload, offset: int) -> Upload:
        expected = _expected_of_body(exchange)
        length = exchange.content_length()
        # tus 1.0, PATCH: an offset that is not the current one MUST be answered with 409, without modification.
        if offset != upload.offset_bytes:
            raise Refusal(409, "offset-mismatch")
        if length is not None and offset + length > upload.size_bytes:
            raise Refusal(413, "too-large")
        if upload.state is UploadState.COMPLETE:
            return upload
        return await self._uploads.receive(upload, exchange.piece, expected, is_bounded=length is not None)

    async def _create(self, exchange: Exchange, upload: Upload, address: str) -> None:
        offers_body = _check_creation(exchange, upload)
        async with self._uploads.hold(upload, exchange, takes_over=True):
            upload = await self._uploads.current(upload.id)
            if upload.state is UploadState.COMPLETE:
                raise Refusal(409, "upload-complete")
            upload = await self._uploads.restart(upload)
            if offers_body:
                upload = await self._append(exchange, upload, 0)
        await exchange.reply(201, (("location", address), *self._progress(upload), _NO_STORE))

    async def _terminate(self, exchange: Exchange, upload: Upload, address: str) -> None:
        async with self._uploads.hold(upload, exchange, takes_over=True):
            await self._uploads.terminate(await self._uploads.current(upload.id))
        await exchange.reply(204, (_NO_STORE,))

    def _progress(self, upload: Upload) -> tuple[tuple[str, str], ...]:
        offset = ("upload-offset", str(upload.offset_bytes))
        if upload.state is UploadState.COMPLETE:
            return (offset,)
        expires_at = self._limits.open_deadline(upload)
        # tus 1.0, Upload-Expires: MUST be in every PATCH response of an upload that is going to expire.
        return offset, ("upload-expires", http_date(expires_at // 1_000_000))


def _check_version(exchange: Exchange) -> None:
    # tus 1.0, Tus-Resumable: another version MUST be answered with 412 and `Tus-Version`, and MUST NOT be processed.
    if exchange.header("tus-resumable") != tus.VERSION:
        raise Refusal(412, "tus-version", ("tus-version", tus.VERSION), ("tus-resumable", tus.VERSION))
    # tus 1.0, Tus-Resumable: MUST be in every response but that to OPTIONS.
    exchange.add_header("tus-resumable", tus.VERSION)


def _check_put(exchange: Exchange, upload: Upload) -> Expected | None:
    # RFC 9110 §14.5: a partial PUT that is not understood is to be answered with 400.
    if exchange.header("content-range") is not None:
        raise Refusal(400, "bad-request")
    if exchange.header("content-encoding") is not None:
        raise Refusal(415, "wrong-type")
    length = exchange.content_length()
    if length is None:
        raise Refusal(411, "length-required")
    if length != upload.size_bytes:
        raise Refusal(413, "too-large") if length > upload.size_bytes else Refusal(400, "wrong-length")
    content_type = exchange.header("content-type")
    if content_type is not None and upload.content_type and media.essence(content_type) != upload.content_type:
        raise Refusal(415, "wrong-type")
    return _expected_of_content(exchange)


def _expected_of_content(exchange: Exchange) -> Expected | None:
    digest: bytes | None = None
    for header in ("Content-Digest", "Repr-Digest"):
        value = exchange.header(header.lower())
        if value is not None and digest is None:
            digest = digests.parse_content_digest(header, value)
    legacy = exchange.header("digest")
    if legacy is not None and digest is None:
        digest = digests.parse_legacy_digest(legacy)
    return None if digest is None else Expected("sha256", digest, Refusal(400, "digest-mismatch"))


def _expected_of_body(exchange: Exchange) -> Expected | None:
    value = exchange.header("upload-checksum")
    if value is not None:
        try:
            checksum = tus.parse_checksum(value)
        except tus.UnsupportedAlgorithmError:
            # tus 1.0, Upload-Checksum: 400 for an algorithm that is not supported, 460 when the checksums differ.
            raise Refusal(400, "unsupported-checksum") from None
        return Expected(checksum.algorithm, checksum.digest, Refusal(460, "checksum-mismatch"))
    value = exchange.header("content-digest")
    digest = None if value is None else digests.parse_content_digest("Content-Digest", value)
    return None if digest is None else Expected("sha256", digest, Refusal(460, "digest-mismatch"))


def _check_creation(exchange: Exchange, upload: Upload) -> bool:
    """Check a POST against its slot; tell whether it brings the first bytes along (creation-with-upload)."""
    if exchange.header("upload-defer-length") is not None or exchange.header("upload-concat") is not None:
        raise Refusal(400, "bad-request")
    length = tus.parse_number("Upload-Length", exchange.header("upload-length"))
    if length != upload.size_bytes:
        # tus 1.0, POST: 413 MUST answer a length beyond the maximum.
        raise Refusal(413, "too-large") if length > upload.size_bytes else Refusal(400, "wrong-length")
    tus.parse_metadata(exchange.header("upload-metadata") or "")
    if not exchange.has_body:
        return False
    if media.essence(exchange.header("content-type") or "") != tus.CONTENT_TYPE:
        raise Refusal(415, "wrong-type")
    return True
