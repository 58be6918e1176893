"""The plain PUT of XEP-0363."""

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest

from parley.domain.errors import LimitReached, Refused, StorageFull
from parley.domain.uploads import UploadState

from .harness import PATCH, PUBLIC_URL, TUS, Crash, Site, Wire, path_of, sha256, upload_id

CONTENT = b"spoken " * 1000


async def test_a_slot_names_both_addresses_and_stores_only_digests_of_their_capabilities(site: Site):
    slot = await site.slots.request(1, "../ä/Voice note.ogg", "Audio/Ogg; codecs=opus", 5)
    _, kind, put_id, put_token, put_name = path_of(slot.put_url).split("/")
    _, other_kind, get_id, get_token, get_name = path_of(slot.get_url).split("/")
    assert (kind, other_kind, put_name, get_name) == ("upload", "blob", "Voice%20note.ogg", "Voice%20note.ogg")
    assert put_id == get_id
    assert len({put_id, put_token, get_token}) == 3
    assert min(len(put_token), len(get_token)) >= 22
    row = site.row(slot)
    assert row.content_type == "audio/ogg"
    assert row.put_digest == sha256(put_token.encode())
    assert row.get_digest == sha256(get_token.encode())


@pytest.mark.parametrize(
    ("size", "kind", "code"),
    [(0, Refused, "bad-upload-request"), (10_000_001, LimitReached, "file-too-large")],
)
async def test_a_slot_of_a_bad_size_is_refused(site: Site, size: int, kind: type, code: str):
    with pytest.raises(kind) as refusal:
        await site.slots.request(1, "a", "", size)
    assert refusal.value.code == code
    assert not site.rows.uploads


async def test_the_quota_counts_promised_slots(site: Site):
    for _ in range(3):
        await site.slots.request(1, "a", "", 10_000_000)
    with pytest.raises(LimitReached) as refusal:
        await site.slots.request(1, "a", "", 1)
    assert refusal.value.code == "quota-exceeded"
    await site.slots.request(2, "a", "", 1)


async def test_a_content_is_stored_under_its_digest(site: Site):
    slot = await site.slot(CONTENT)
    reply = await site.request("PUT", path_of(slot.put_url), body=[CONTENT[:10], CONTENT[10:]])
    assert reply.status == 201
    assert site.blob_names() == [sha256(CONTENT).hex()]
    assert site.row(slot).state is UploadState.COMPLETE
    assert site.row(slot).digest == sha256(CONTENT)
    assert site.partial_bytes() == 0
    assert site.metrics.value("parley_uploaded_bytes_total") == len(CONTENT)


async def test_nothing_is_said_before_it_is_synced(site: Site):
    slot = await site.slot(CONTENT)
    wire = Wire("PUT", path_of(slot.put_url), {"content-length": str(len(CONTENT))})
    wire.put(CONTENT, more_body=False)

    async def recording_send(message: dict) -> None:
        site.faults.step(message["type"])
        await wire.send(message)

    await site.app(wire.scope, wire.receive, recording_send)
    assert site.faults.journal == [
        "write",
        "sync",
        f"advance {len(CONTENT)}",
        "put",
        "complete",
        "remove file",
        "http.response.start",
        "http.response.body",
    ]


async def test_the_same_put_again_is_fine_and_another_is_not(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    assert (await site.request("PUT", path, body=CONTENT)).status == 201
    assert (await site.request("PUT", path, body=CONTENT)).status == 200
    other = await site.request("PUT", path, body=CONTENT[::-1])
    assert (other.status, other.code) == (409, "upload-complete")
    assert site.blob_names() == [sha256(CONTENT).hex()]


async def refused(site: Site, path: str, headers: dict, status: int, code: str, **body) -> None:
    reply = await site.request("PUT", path, headers, **({"body": CONTENT} | body))
    assert (reply.status, reply.code) == (status, code)
    assert site.partial_bytes() == 0
    assert not site.blob_names()


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"content-length": "6999"}, CONTENT, 400, "wrong-length"),
        ({"content-length": "7001"}, CONTENT, 413, "too-large"),
        ({"content-length": "7e3"}, CONTENT, 400, "header-malformed"),
        ({"content-type": "text/html"}, CONTENT, 415, "wrong-type"),
        ({"content-encoding": "gzip"}, CONTENT, 415, "wrong-type"),
        ({"content-range": "bytes 0-6999/7000"}, CONTENT, 400, "bad-request"),
        ({"digest": "sha-256=" + base64.b64encode(sha256(b"")).decode()}, CONTENT, 400, "digest-mismatch"),
        ({"content-digest": f"sha-256=:{base64.b64encode(sha256(b'')).decode()}:"}, CONTENT, 400, "digest-mismatch"),
        ({"repr-digest": f"sha-256=:{base64.b64encode(sha256(b'')).decode()}:"}, CONTENT, 400, "digest-mismatch"),
        ({"content-digest": "sha-256=nonsense"}, CONTENT, 400, "header-malformed"),
    ],
)
async def test_a_refused_put_stores_no_bytes(site: Site, headers: dict, body: bytes, status: int, code: str):
    slot = await site.slot(CONTENT, content_type="audio/ogg")
    await refused(site, path_of(slot.put_url), headers, status, code, body=body)
    assert site.row(slot).offset_bytes == 0


async def test_a_chunked_put_is_refused(site: Site):
    slot = await site.slot(CONTENT)
    await refused(site, path_of(slot.put_url), {}, 411, "length-required", is_chunked=True)


async def test_a_right_digest_is_accepted(site: Site):
    slot = await site.slot(CONTENT)
    digest = {"content-digest": f"sha-512=:AAAA:, sha-256=:{base64.b64encode(sha256(CONTENT)).decode()}:"}
    assert (await site.request("PUT", path_of(slot.put_url), digest, body=CONTENT)).status == 201


async def test_a_wrong_capability_and_an_unknown_id_look_the_same(site: Site):
    slot = await site.slot(CONTENT)
    get_token = path_of(slot.get_url).split("/")[3]
    paths = [
        f"/upload/{upload_id(slot)}/{get_token}/note.ogg",
        f"/upload/{upload_id(slot)}//note.ogg",
        f"/upload/{'a' * 22}/{get_token}/note.ogg",
        f"/upload/../{get_token}/note.ogg",
        "/upload/..%2F..%2Fetc/passwd/x",
        "/upload/\ud800/x/x",
        "/upload/a",
    ]
    for path in paths:
        await refused(site, path, {}, 404, "not-found")


async def test_an_unused_slot_expires_sooner_than_one_that_has_begun(site: Site):
    unused, begun = await site.slot(CONTENT), await site.slot(CONTENT)
    await site.request("PATCH", path_of(begun.put_url), {**PATCH, "upload-offset": "0"}, body=CONTENT[:10])
    site.clock.advance(site.limits.slot_lifetime_s)
    assert (await site.request("PUT", path_of(unused.put_url), body=CONTENT)).status == 410
    assert (await site.request("PUT", path_of(begun.put_url), body=CONTENT)).status == 201


async def test_a_put_that_was_cut_off_can_be_resumed_but_does_not_count(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    headers = {"content-length": str(len(CONTENT))}
    await site.request("PUT", path, headers, body=[CONTENT[:100], CONTENT[100:500]], cut=True)
    assert site.row(slot).offset_bytes == 500
    assert site.row(slot).state is UploadState.OPEN
    assert (await site.request("GET", path_of(slot.get_url))).status == 404
    head = await site.request("HEAD", path, TUS)
    assert head.headers["upload-offset"] == "500"
    rest = await site.request("PATCH", path, {**PATCH, "upload-offset": "500"}, body=CONTENT[500:])
    assert rest.status == 204
    assert (await site.request("GET", path_of(slot.get_url))).body == CONTENT


async def test_a_put_starts_over_whatever_came_before(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PUT", path, {"content-length": "7000"}, body=b"x" * 6000, cut=True)
    await site.request("PUT", path, {"content-length": "7000"}, body=CONTENT[:10], cut=True)
    assert site.row(slot).offset_bytes == 10
    assert (await site.request("PUT", path, body=CONTENT)).status == 201
    assert site.row(slot).digest == sha256(CONTENT)


async def test_long_bodies_are_recorded_now_and_again(tmp_path: Path):
    site = Site(tmp_path, checkpoint_bytes=300_000)
    content = bytes(range(256)) * 4000
    slot = await site.slot(content)
    pieces = [content[i : i + 100_000] for i in range(0, len(content), 100_000)]
    assert (await site.request("PUT", path_of(slot.put_url), body=pieces)).status == 201
    steps = [int(entry.split()[1]) for entry in site.faults.journal if entry.startswith("advance")]
    assert steps == [300_000, 600_000, 900_000, 1_024_000]
    site.close()


@pytest.mark.parametrize("step", ["write", "sync", "advance"])
async def test_a_full_disk_is_told_and_harms_nothing(site: Site, step: str):
    kept = await site.stored(b"kept")
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, {**PATCH, "upload-offset": "0"}, body=CONTENT[:10])
    site.faults.errors[step] = StorageFull("storage-full")
    reply = await site.request("PATCH", path, {**PATCH, "upload-offset": "10"}, body=CONTENT[10:])
    assert (reply.status, reply.code) == (507, "storage-full")
    assert (site.row(slot).offset_bytes, site.partial_bytes()) == (10, 10)
    site.faults.errors.clear()
    assert (await site.request("PATCH", path, {**PATCH, "upload-offset": "10"}, body=CONTENT[10:])).status == 204
    assert site.row(slot).digest == sha256(CONTENT)
    assert (await site.request("GET", kept)).body == b"kept"


async def test_no_room_for_the_last_step_leaves_it_to_be_done_again(site: Site):
    slot = await site.slot(CONTENT)
    site.faults.errors["put"] = StorageFull("storage-full")
    assert (await site.request("PUT", path_of(slot.put_url), body=CONTENT)).status == 507
    assert (await site.request("HEAD", path_of(slot.put_url), TUS)).status == 507
    site.faults.errors.clear()
    assert (await site.request("HEAD", path_of(slot.put_url), TUS)).headers["upload-offset"] == "7000"
    assert site.row(slot).state is UploadState.COMPLETE


async def test_a_slot_needs_room_on_the_disk(tmp_path: Path):
    site = Site(tmp_path, min_free_bytes=1 << 62)
    with pytest.raises(StorageFull):
        await site.slot(CONTENT)
    site.close()


async def test_two_writers_at_once_get_one_lock(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    first = Wire("PUT", path, {"content-length": str(len(CONTENT))})
    first.put(CONTENT[:10], more_body=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.app(first.scope, first.receive, first.send))
        await first.taken()
        second = await site.request("PUT", path, body=CONTENT)
        assert (second.status, second.code) == (423, "upload-busy")
        first.put(CONTENT[10:], more_body=False)
    assert first.reply.status == 201
    assert site.row(slot).digest == sha256(CONTENT)


async def test_a_head_takes_over_from_a_dead_connection(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    dead = Wire("PUT", path, {"content-length": str(len(CONTENT)), "expect": "100-continue"})
    dead.put(CONTENT[:123], more_body=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.app(dead.scope, dead.receive, dead.send))
        await dead.taken()
        head = await site.request("HEAD", path, TUS)
        assert head.headers["upload-offset"] == "123"
    assert dead.reply.status == 423
    rest = await site.request("PATCH", path, {**PATCH, "upload-offset": "123"}, body=CONTENT[123:])
    assert rest.status == 204


@pytest.mark.parametrize("step", ["put", "complete", "remove file"])
async def test_a_crash_between_the_last_steps_is_made_good(site: Site, step: str):
    slot = await site.slot(CONTENT)
    site.faults.errors[step] = Crash()
    with pytest.raises(Crash):
        await site.request("PUT", path_of(slot.put_url), body=CONTENT)
    site.faults.errors.clear()
    site.start()
    assert site.partial_bytes() == len(CONTENT)
    swept = await site.sweeper.sweep(site.clock.now_us())
    assert (swept.finished, swept.files) == ((0, 1) if step == "remove file" else (1, 0))
    assert site.row(slot).digest == sha256(CONTENT)
    assert site.partial_bytes() == 0
    assert (await site.request("HEAD", path_of(slot.put_url), TUS)).headers["upload-offset"] == "7000"


async def test_a_request_finishes_what_a_crash_left(site: Site):
    slot = await site.slot(CONTENT)
    site.partials.path(upload_id(slot)).write_bytes(CONTENT)
    site.rows.uploads[upload_id(slot)] = replace(site.row(slot), offset_bytes=len(CONTENT))
    assert (await site.request("HEAD", path_of(slot.put_url), TUS)).headers["upload-offset"] == "7000"
    assert (await site.request("GET", path_of(slot.get_url))).body == CONTENT


async def test_a_lost_file_is_not_counted(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, {**PATCH, "upload-offset": "0"}, body=CONTENT[:500])
    site.partials.path(upload_id(slot)).unlink()
    assert (await site.request("HEAD", path, TUS)).headers["upload-offset"] == "0"


async def test_unrecorded_bytes_are_overwritten(site: Site):
    slot = await site.slot(CONTENT)
    path = path_of(slot.put_url)
    await site.request("PATCH", path, {**PATCH, "upload-offset": "0"}, body=CONTENT[:500])
    with site.partials.path(upload_id(slot)).open("ab") as file:
        file.write(b"written before a power cut, never recorded")
    assert (await site.request("HEAD", path, TUS)).headers["upload-offset"] == "500"
    await site.request("PATCH", path, {**PATCH, "upload-offset": "500"}, body=CONTENT[500:])
    assert site.row(slot).digest == sha256(CONTENT)


async def test_equal_contents_are_stored_once_and_kept_until_the_last_goes(site: Site):
    first, second = await site.slot(CONTENT), await site.slot(CONTENT)
    for slot in (first, second):
        assert (await site.request("PUT", path_of(slot.put_url), body=CONTENT)).status == 201
    assert len(site.blob_names()) == 1
    assert (await site.request("DELETE", path_of(first.put_url), TUS)).status == 204
    assert (await site.request("GET", path_of(second.get_url))).body == CONTENT
    assert (await site.request("DELETE", path_of(second.put_url), TUS)).status == 204
    assert not site.blob_names()


async def test_another_method_is_told_what_is_allowed(site: Site):
    slot = await site.slot(CONTENT)
    reply = await site.request("GET", path_of(slot.put_url))
    assert (reply.status, reply.code) == (405, "method-not-allowed")
    assert reply.headers["allow"] == "OPTIONS, HEAD, PATCH, POST, DELETE, PUT"
    assert PUBLIC_URL.encode() not in reply.body
