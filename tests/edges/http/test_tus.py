"""tus 1.0.0 on a slot's address: each MUST of the core protocol and of the extensions that are offered."""

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest

from parley.domain.uploads import UploadState

from .harness import PATCH, PUBLIC_URL, TUS, Site, Wire, path_of, sha256

CONTENT = b"spoken " * 1000
SIZE = str(len(CONTENT))


def at(offset: int, **headers: str) -> dict[str, str]:
    return {**PATCH, "upload-offset": str(offset), **{name.replace("_", "-"): value for name, value in headers.items()}}


def checksum(algorithm: str, body: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"


async def test_options_tells_what_is_offered(site: Site):
    for path in ("/upload", path_of((await site.slot(CONTENT)).put_url)):
        reply = await site.request("OPTIONS", path)
        assert reply.status == 204
        assert reply.headers["tus-version"] == "1.0.0"
        assert reply.headers["tus-extension"] == "creation,creation-with-upload,termination,checksum,expiration"
        assert reply.headers["tus-max-size"] == "10000000"
        assert reply.headers["tus-checksum-algorithm"] == "sha1,sha256"


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "POST", "DELETE"])
@pytest.mark.parametrize("version", [None, "0.2.2", "1.0"])
async def test_another_version_is_not_processed(site: Site, method: str, version: str | None):
    slot = await site.slot(CONTENT)
    headers = {**at(0), "upload-length": SIZE, "tus-resumable": version or ""}
    if version is None:
        del headers["tus-resumable"]
    reply = await site.request(method, path_of(slot.put_url), headers, body=CONTENT)
    assert reply.status == 412
    assert reply.headers["tus-version"] == "1.0.0"
    assert site.row(slot).offset_bytes == 0


async def test_head_tells_offset_and_length_and_is_not_stored(site: Site):
    slot = await site.slot(CONTENT)
    reply = await site.request("HEAD", path_of(slot.put_url), TUS)
    assert reply.status == 200
    assert reply.headers["upload-offset"] == "0"
    assert reply.headers["upload-length"] == SIZE
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert reply.body == b""


async def test_head_of_nothing_has_no_offset(site: Site):
    reply = await site.request("HEAD", "/upload/aaaaaaaaaaaaaaaaaaaaaa/b/c", TUS)
    assert reply.status == 404
    assert "upload-offset" not in reply.headers
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert reply.body == b""


async def test_patches_append_until_the_content_is_complete(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    for start, end in ((0, 1), (1, 4000), (4000, 7000)):
        reply = await site.request("PATCH", path, at(start), body=CONTENT[start:end])
        assert (reply.status, reply.headers["upload-offset"]) == (204, str(end))
        assert reply.headers["tus-resumable"] == "1.0.0"
    assert site.row(slot).state is UploadState.COMPLETE
    assert site.blob_names() == [sha256(CONTENT).hex()]
    again = await site.request("PATCH", path, at(7000), body=b"")
    assert (again.status, again.headers["upload-offset"]) == (204, SIZE)
    late = await site.request("PATCH", path, at(7000), body=b"x")
    assert (late.status, late.code) == (413, "too-large")


@pytest.mark.parametrize("offset", [0, 99, 101, 7000])
async def test_a_wrong_offset_changes_nothing(site: Site, offset: int):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0), body=CONTENT[:100])
    reply = await site.request("PATCH", path, at(offset), body=b"y")
    assert (reply.status, reply.code) == (409, "offset-mismatch")
    assert site.row(slot).offset_bytes == 100
    assert site.partial_bytes() == 100


@pytest.mark.parametrize("offset", ["", "-1", "0x0", "1, 1", "٣", "9" * 30, None])
async def test_a_malformed_offset_is_refused(site: Site, offset: str | None):
    slot = await site.slot(CONTENT)
    headers = dict(PATCH) if offset is None else {**PATCH, "upload-offset": offset.encode().decode("latin-1")}
    reply = await site.request("PATCH", path_of(slot.put_url), headers, body=CONTENT)
    assert (reply.status, reply.code) == (400, "header-malformed")
    assert site.partial_bytes() == 0


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain"])
async def test_another_type_is_refused(site: Site, content_type: str | None):
    slot = await site.slot(CONTENT)
    headers = {**TUS, "upload-offset": "0"} | ({"content-type": content_type} if content_type else {})
    reply = await site.request("PATCH", path_of(slot.put_url), headers, body=CONTENT)
    assert (reply.status, reply.code) == (415, "wrong-type")
    assert site.partial_bytes() == 0


async def test_more_than_the_slot_is_refused_and_nothing_of_it_kept(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0), body=CONTENT[:100])
    for is_chunked in (False, True):
        reply = await site.request("PATCH", path, at(100), body=CONTENT, is_chunked=is_chunked)
        assert (reply.status, reply.code) == (413, "too-large")
        assert site.row(slot).offset_bytes == 100
        assert site.partial_bytes() == 100


async def test_a_chunked_body_that_grows_too_long_leaves_nothing_behind(tmp_path: Path):
    site = Site(tmp_path, checkpoint_bytes=1000)
    slot = await site.slot(bytes(1_000_000))
    pieces = [bytes(300_000)] * 4
    reply = await site.request("PATCH", path_of(slot.put_url), at(0), body=pieces, is_chunked=True)
    assert (reply.status, reply.code) == (413, "too-large")
    assert (site.row(slot).offset_bytes, site.partial_bytes()) == (0, 0)
    site.close()


async def test_a_chunked_patch_works(site: Site):
    slot = await site.slot(CONTENT)
    reply = await site.request("PATCH", path_of(slot.put_url), at(0), body=CONTENT, is_chunked=True)
    assert (reply.status, reply.headers["upload-offset"]) == (204, SIZE)


async def test_what_arrived_before_a_cut_is_kept(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0, content_length=SIZE), body=[CONTENT[:300], CONTENT[300:301]], cut=True)
    assert (await site.request("HEAD", path, TUS)).headers["upload-offset"] == "301"


async def test_a_slow_body_ends_with_408_and_keeps_what_came(tmp_path: Path):
    site = Site(tmp_path, timeout_s=0.01)
    slot = await site.slot(CONTENT)
    wire = Wire("PATCH", path_of(slot.put_url), at(0, content_length=SIZE, expect="100-continue"))
    wire.put(CONTENT[:10], more_body=True)
    await site.app(wire.scope, wire.receive, wire.send)
    assert (wire.reply.status, wire.reply.code) == (408, "body-timeout")
    assert site.row(slot).offset_bytes == 10
    site.close()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_right_checksum_is_accepted(site: Site, algorithm: str):
    slot = await site.slot(CONTENT)
    headers = at(0, upload_checksum=checksum(algorithm, CONTENT[:50]))
    reply = await site.request("PATCH", path_of(slot.put_url), headers, body=CONTENT[:50])
    assert (reply.status, reply.headers["upload-offset"]) == (204, "50")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"upload-checksum": checksum("sha1", b"other")}, "checksum-mismatch"),
        ({"upload-checksum": checksum("sha256", b"other")}, "checksum-mismatch"),
        ({"content-digest": f"sha-256=:{base64.b64encode(sha256(b'other')).decode()}:"}, "digest-mismatch"),
    ],
)
async def test_a_wrong_checksum_discards_the_body(site: Site, header: dict, code: str):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0), body=CONTENT[:10])
    reply = await site.request("PATCH", path, {**at(10), **header}, body=CONTENT[10:])
    assert (reply.status, reply.code) == (460, code)
    assert (site.row(slot).offset_bytes, site.partial_bytes()) == (10, 10)


async def test_a_checked_body_that_was_cut_off_is_discarded(site: Site):
    slot = await site.slot(CONTENT)
    headers = at(0, upload_checksum=checksum("sha1", CONTENT), content_length=SIZE)
    await site.request("PATCH", path_of(slot.put_url), headers, body=CONTENT[:10], cut=True)
    assert (site.row(slot).offset_bytes, site.partial_bytes()) == (0, 0)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (checksum("md5", CONTENT), "unsupported-checksum"),
        ("sha1", "header-malformed"),
        ("sha1 !!!", "header-malformed"),
        ("sha1 AAAA", "header-malformed"),
        (checksum("sha1", CONTENT) + " x", "header-malformed"),
    ],
)
async def test_a_bad_checksum_header_is_refused(site: Site, value: str, code: str):
    slot = await site.slot(CONTENT)
    reply = await site.request("PATCH", path_of(slot.put_url), at(0, upload_checksum=value), body=CONTENT)
    assert (reply.status, reply.code) == (400, code)
    assert site.partial_bytes() == 0


async def test_creation_answers_with_the_same_address(site: Site):
    slot = await site.slot(CONTENT, "Sprach notiz.ogg")
    headers = {**TUS, "upload-length": SIZE, "upload-metadata": "filename bm90ZS5vZ2c=,private"}
    reply = await site.request("POST", path_of(slot.put_url).replace("%20", " "), headers)
    assert reply.status == 201
    assert reply.headers["location"] == slot.put_url
    assert reply.headers["location"].startswith(PUBLIC_URL)
    assert reply.headers["upload-offset"] == "0"


async def test_creation_with_upload_takes_the_first_bytes(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    reply = await site.request("POST", path, {**PATCH, "upload-length": SIZE}, body=CONTENT[:64])
    assert (reply.status, reply.headers["upload-offset"]) == (201, "64")
    assert (await site.request("PATCH", path, at(64), body=CONTENT[64:])).status == 204
    assert site.row(slot).digest == sha256(CONTENT)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "header-malformed"),
        ({"upload-length": "7001"}, 413, "too-large"),
        ({"upload-length": "99999999999"}, 413, "too-large"),
        ({"upload-length": "6999"}, 400, "wrong-length"),
        ({"upload-length": "-1"}, 400, "header-malformed"),
        ({"upload-defer-length": "1"}, 400, "bad-request"),
        ({"upload-length": SIZE, "upload-concat": "partial"}, 400, "bad-request"),
        ({"upload-length": SIZE, "upload-metadata": "a b c"}, 400, "header-malformed"),
        ({"upload-length": SIZE, "upload-metadata": "a YQ==,a YQ=="}, 400, "header-malformed"),
        ({"upload-length": SIZE, "content-type": "text/plain"}, 415, "wrong-type"),
    ],
)
async def test_a_bad_creation_is_refused(site: Site, headers: dict, status: int, code: str):
    slot = await site.slot(CONTENT)
    reply = await site.request("POST", path_of(slot.put_url), {**PATCH, **headers}, body=CONTENT)
    assert (reply.status, reply.code) == (status, code)
    assert site.partial_bytes() == 0


async def test_creation_again_starts_over_unless_complete(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0), body=b"old")
    assert (await site.request("POST", path, {**TUS, "upload-length": SIZE})).headers["upload-offset"] == "0"
    assert (await site.request("PATCH", path, at(0), body=CONTENT)).status == 204
    late = await site.request("POST", path, {**TUS, "upload-length": SIZE})
    assert (late.status, late.code) == (409, "upload-complete")


@pytest.mark.parametrize("sent", [0, 100, 7000])
async def test_termination_frees_everything(site: Site, sent: int):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, at(0), body=CONTENT[:sent])
    assert (await site.request("DELETE", path, TUS)).status == 204
    # tus 1.0, termination: later requests SHOULD be answered with 404 or 410.
    for method in ("HEAD", "PATCH", "DELETE"):
        assert (await site.request(method, path, at(0), body=b"")).status == 404
    assert (await site.request("GET", path_of(slot.get_url))).status == 404
    assert not site.blob_names()
    assert site.partial_bytes() == 0
    assert not site.rows.uploads


async def test_termination_ends_a_patch_in_mid_flight(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    writer = Wire("PATCH", path, at(0, content_length=SIZE, expect="100-continue"))
    writer.put(CONTENT[:10], more_body=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.app(writer.scope, writer.receive, writer.send))
        await writer.taken()
        assert (await site.request("DELETE", path, TUS)).status == 204
    assert writer.reply.status == 423
    assert site.partial_bytes() == 0


async def test_expiry_is_told_and_moves_on_with_every_patch(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    head = await site.request("HEAD", path, TUS)
    assert head.headers["upload-expires"] == "Mon, 01 Jan 2024 01:00:00 GMT"
    patch = await site.request("PATCH", path, at(0), body=b"x")
    assert patch.headers["upload-expires"] == "Tue, 02 Jan 2024 00:00:00 GMT"
    site.clock.advance(12 * 3600)
    patch = await site.request("PATCH", path, at(1), body=b"x")
    assert patch.headers["upload-expires"] == "Tue, 02 Jan 2024 12:00:00 GMT"
    site.clock.advance(24 * 3600)
    late = await site.request("PATCH", path, at(2), body=b"x")
    assert (late.status, late.code) == (410, "expired")


async def test_the_method_may_be_overridden(site: Site):
    slot = await site.slot(CONTENT)
    headers = at(0, x_http_method_override="PATCH")
    reply = await site.request("POST", path_of(slot.put_url), headers, body=CONTENT)
    assert (reply.status, reply.headers["upload-offset"]) == (204, SIZE)


async def test_pages_of_other_origins_may_use_it(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    preflight = await site.request(
        "OPTIONS", path, {"origin": "https://elsewhere.example", "access-control-request-method": "PATCH"}
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    for name in ("Tus-Resumable", "Upload-Offset", "Upload-Checksum", "Content-Type"):
        assert name in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    for method, headers in (("HEAD", TUS), ("PATCH", at(5)), ("PATCH", {})):
        reply = await site.request(method, path, headers)
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "Upload-Offset" in reply.headers["access-control-expose-headers"]
