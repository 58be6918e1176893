"""Downloads: whole, in ranges, conditional."""

import asyncio
import email

import pytest

from parley.edges.http.exchange import UNWATCHED_BYTES

from .harness import Site, Wire, sha256

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
ETAG = f'"{sha256(CONTENT).hex()}"'
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.fixture
async def path(site: Site) -> str:
    return await site.stored(CONTENT, "Sprachnachricht ü.ogg", "audio/ogg")


async def test_the_whole_content(site: Site, path: str):
    reply = await site.request("GET", path)
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-length"] == str(SIZE)
    assert reply.headers["content-type"] == "audio/ogg"
    assert reply.headers["etag"] == ETAG
    assert reply.headers["last-modified"] == DATE
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["cache-control"] == f"private, max-age={90 * 86400}, immutable"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["content-disposition"] == (
        "inline; filename=\"Sprachnachricht _.ogg\"; filename*=UTF-8''Sprachnachricht%20%C3%BC.ogg"
    )
    assert site.metrics.value("parley_downloaded_bytes_total") == SIZE


async def test_head_tells_the_same_and_sends_nothing(site: Site, path: str):
    get = await site.request("GET", path)
    head = await site.request("HEAD", path, {"range": "bytes=0-1"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, SIZE),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-9999", 1000, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-9999", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=0-9,5-19", 0, 20),
        ("Bytes= 3-4 ,", 3, 5),
        ("bytes=3-4,5000-", 3, 5),
    ],
)
async def test_one_range(site: Site, path: str, value: str, start: int, end: int):
    reply = await site.request("GET", path, {"range": value})
    assert (reply.status, reply.body) == (206, CONTENT[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert reply.headers["content-length"] == str(end - start)
    assert reply.headers["content-type"] == "audio/ogg"
    assert reply.headers["etag"] == ETAG


@pytest.mark.parametrize("value", ["bytes=1024-", "bytes=1024-2000", "bytes=-0", "bytes=5000-,6000-6001"])
async def test_a_range_that_cannot_be_satisfied(site: Site, path: str, value: str):
    reply = await site.request("GET", path, {"range": value})
    assert (reply.status, reply.code) == (416, "range-not-satisfiable")
    assert reply.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "value",
    [
        "bytes=5-4",
        "bytes=",
        "bytes=a-b",
        "chunks=0-1",
        "bytes 0-1",
        "bytes=0-1;2-3",
        "bytes=-",
        "bytes=1--2",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 34, 2)),
    ],
)
async def test_a_malformed_or_excessive_range_is_ignored(site: Site, path: str, value: str):
    reply = await site.request("GET", path, {"range": value})
    assert (reply.status, reply.body) == (200, CONTENT)


async def test_several_ranges_come_as_multipart_in_the_order_asked(site: Site, path: str):
    reply = await site.request("GET", path, {"range": "bytes=100-109, 0-4, -3"})
    assert reply.status == 206
    assert reply.headers["content-type"] == "multipart/byteranges; boundary=BOUNDARY"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert "content-range" not in reply.headers
    message = email.message_from_bytes(b"Content-Type: multipart/byteranges; boundary=BOUNDARY\r\n" + reply.body)
    parts = message.get_payload()
    assert [part["content-range"] for part in parts] == [
        f"bytes 100-109/{SIZE}",
        f"bytes 0-4/{SIZE}",
        f"bytes {SIZE - 3}-{SIZE - 1}/{SIZE}",
    ]
    assert {part["content-type"] for part in parts} == {"audio/ogg"}
    for data in (CONTENT[100:110], CONTENT[0:5], CONTENT[-3:]):
        assert b"\r\n\r\n" + data + b"\r\n--BOUNDARY" in reply.body


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        (ETAG, 206),
        (DATE, 206),
        (f"W/{ETAG}", 200),
        ('"other"', 200),
        ("Mon, 01 Jan 2024 00:00:01 GMT", 200),
        ("yesterday", 200),
    ],
)
async def test_if_range(site: Site, path: str, if_range: str, status: int):
    reply = await site.request("GET", path, {"range": "bytes=0-0", "if-range": if_range})
    assert reply.status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": ETAG}, 304),
        ({"if-none-match": f'"x", W/{ETAG}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"', "if-modified-since": DATE}, 200),
        ({"if-modified-since": DATE}, 304),
        ({"if-modified-since": "Sun, 31 Dec 2023 23:59:59 GMT"}, 200),
        ({"if-modified-since": "garbage"}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"W/{ETAG}"}, 412),
        ({"if-match": '"x"'}, 412),
        ({"if-unmodified-since": DATE}, 200),
        ({"if-unmodified-since": "Sun, 31 Dec 2023 23:59:59 GMT"}, 412),
        ({"if-match": ETAG, "if-unmodified-since": "Sun, 31 Dec 2023 23:59:59 GMT"}, 200),
    ],
)
async def test_preconditions(site: Site, path: str, headers: dict, status: int):
    reply = await site.request("GET", path, headers)
    assert reply.status == status
    if status == 304:
        assert reply.body == b""
        assert reply.headers["etag"] == ETAG
        assert "content-length" not in reply.headers
    if status == 412:
        assert reply.code == "precondition-failed"


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("audio/x+xml", "attachment"),
        ("text/xml", "attachment"),
        ("application/pdf", "attachment"),
        ("", "attachment"),
        ("image/png", "inline"),
        ("video/mp4", "inline"),
    ],
)
async def test_what_a_browser_could_execute_is_an_attachment(site: Site, content_type: str, kind: str):
    reply = await site.request("GET", await site.stored(CONTENT, "a.b", content_type))
    assert reply.headers["content-disposition"] == f'{kind}; filename="a.b"'
    assert reply.headers["content-type"] == (content_type or "application/octet-stream")


async def test_unknown_incomplete_expired_and_wrong_look_the_same(site: Site, path: str):
    _, _, upload_id, token, _ = path.split("/")
    slot = await site.slot(CONTENT)
    open_path = slot.get_url.removeprefix("https://chat.example")
    replies = [
        await site.request("GET", f"/blob/{upload_id}/{token}x/name"),
        await site.request("GET", f"/blob/{'a' * 22}/{token}/name"),
        await site.request("GET", "/blob/../../etc/passwd"),
        await site.request("GET", "/blob/"),
        await site.request("GET", "/blob"),
        await site.request("GET", open_path),
    ]
    site.clock.advance(90 * 86400)
    replies.append(await site.request("GET", path))
    assert {(reply.status, reply.body) for reply in replies} == {(404, replies[0].body)}
    assert replies[0].code == "not-found"


async def test_the_name_in_the_address_does_not_count(site: Site, path: str):
    assert (await site.request("GET", path.rpartition("/")[0] + "/other.exe")).status == 200
    assert (await site.request("GET", path.rpartition("/")[0])).status == 200


async def test_a_content_that_is_gone_from_the_disk_is_not_found(site: Site, path: str):
    await site.blobs.delete(sha256(CONTENT))
    assert (await site.request("GET", path)).status == 404


async def test_other_methods(site: Site, path: str):
    reply = await site.request("DELETE", path)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    preflight = await site.request("OPTIONS", path, {"access-control-request-method": "GET"})
    assert "Range" in preflight.headers["access-control-allow-headers"]


async def test_a_long_content_waits_for_the_client_and_stops_when_it_goes(site: Site):
    content = bytes(UNWATCHED_BYTES * 4)
    path = await site.stored(content)
    wire = Wire("GET", path, {})
    wire.put(b"", more_body=False)
    taken = asyncio.Semaphore(0)

    async def send(message: dict) -> None:
        if message["type"] == "http.response.body":
            await taken.acquire()
        await wire.send(message)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        done = group.create_task(site.app(wire.scope, wire.receive, send))
        taken.release()
        while len(wire.sent) < 1:
            await asyncio.sleep(0)
        assert not done.done()
        wire.cut()
        while wire._incoming.qsize():
            await asyncio.sleep(0)
        for _ in range(3):
            taken.release()
    assert 0 < len(wire.reply.body) < len(content)
    assert not wire.is_finished


async def test_a_client_that_takes_nothing_is_cut_off(tmp_path):
    site = Site(tmp_path, timeout_s=0.01)
    path = await site.stored(bytes(UNWATCHED_BYTES * 2))
    wire = Wire("GET", path, {})
    wire.put(b"", more_body=False)

    async def send(message: dict) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await site.app(wire.scope, wire.receive, send)
    assert site.metrics.value("parley_refused_total", code="internal") is None
    site.close()


async def test_more_ranges_than_the_setting_allows_bring_the_whole(site: Site):
    path = await site.stored(b"0123456789")
    site.downloads.max_ranges = 2
    assert (await site.request("GET", path, {"range": "bytes=0-1,4-5"})).status == 206
    assert (await site.request("GET", path, {"range": "bytes=0-1,4-5,8-9"})).body == b"0123456789"
