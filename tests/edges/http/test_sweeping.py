"""The sweep of what expired, was left over, or belongs to nobody."""

import asyncio
import os
from dataclasses import replace

from parley.edges.http.sweeping import Swept

from .harness import PATCH, Site, Wire, path_of, sha256, upload_id

CONTENT = b"spoken " * 100


async def test_nothing_to_do(site: Site):
    path = await site.stored(CONTENT)
    slot = await site.slot(CONTENT)
    await site.request("PATCH", path_of(slot.put_url), {**PATCH, "upload-offset": "0"}, body=b"x")
    assert await site.sweeper.sweep(site.clock.now_us()) == Swept()
    assert site.partial_bytes() == 1
    assert (await site.request("GET", path)).status == 200


async def test_expired_uploads_go_with_their_bytes(site: Site):
    await site.stored(CONTENT)
    slot = await site.slot(b"other")
    await site.request("PATCH", path_of(slot.put_url), {**PATCH, "upload-offset": "0"}, body=b"x")
    site.clock.advance(24 * 3600)
    assert (await site.sweeper.sweep(site.clock.now_us())).expired == 1
    assert site.partial_bytes() == 0
    assert site.blob_names() == [sha256(CONTENT).hex()]
    site.clock.advance(90 * 24 * 3600)
    assert (await site.sweeper.sweep(site.clock.now_us())).expired == 1
    assert not site.blob_names()
    assert not site.rows.uploads


async def test_while_the_time_is_not_known_nothing_goes_for_its_age(site: Site):
    path = await site.stored(CONTENT)
    orphan = site.folder / "orphan"
    orphan.write_bytes(b"orphan")
    await site.blobs.put_file(sha256(b"orphan"), str(orphan))
    orphan.unlink()
    site.partials.path("z" * 22).write_bytes(b"no row")
    site.clock.jump_wall(10 * 365 * 24 * 3600)
    assert await site.sweeper.sweep(None) == Swept(files=1)
    site.clock.jump_wall(-10 * 365 * 24 * 3600)
    assert (await site.request("GET", path)).status == 200
    assert sha256(b"orphan").hex() in site.blob_names()


async def test_an_upload_in_use_is_left_to_the_next_sweep(site: Site):
    slot = await site.slot(CONTENT)
    wire = Wire("PUT", path_of(slot.put_url), {"content-length": str(len(CONTENT))})
    wire.put(CONTENT[:10], more_body=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.app(wire.scope, wire.receive, wire.send))
        await wire.taken()
        site.clock.advance(48 * 3600)
        assert (await site.sweeper.sweep(site.clock.now_us())).expired == 0
        wire.put(CONTENT[10:], more_body=False)
    assert wire.reply.status == 201


async def test_left_over_files_go(site: Site):
    slot = await site.slot(CONTENT)
    done = await site.slot(CONTENT)
    await site.request("PUT", path_of(done.put_url), body=CONTENT)
    site.partials.path(upload_id(done)).write_bytes(CONTENT)
    site.partials.path("z" * 22).write_bytes(b"no row")
    (site.folder / "partial" / "not an upload").write_bytes(b"stays")
    assert (await site.sweeper.sweep(site.clock.now_us())).files == 2
    assert [path.name for path in (site.folder / "partial").iterdir()] == ["not an upload"]
    assert site.row(slot).offset_bytes == 0


async def test_an_upload_whose_last_steps_are_missing_is_finished(site: Site):
    slot = await site.slot(CONTENT)
    site.partials.path(upload_id(slot)).write_bytes(CONTENT)
    site.rows.uploads[upload_id(slot)] = replace(site.row(slot), offset_bytes=len(CONTENT))
    assert (await site.sweeper.sweep(site.clock.now_us())).finished == 1
    assert (await site.request("GET", path_of(slot.get_url))).body == CONTENT


async def test_orphans_go_after_a_grace(site: Site):
    now = site.clock.now_us()
    kept = await site.stored(CONTENT)
    source = site.folder / "source"
    for age_h, content in ((25, b"old"), (23, b"young")):
        source.write_bytes(content)
        await site.blobs.put_file(sha256(content), str(source))
        source.unlink()
        name = sha256(content).hex()
        seconds = now / 1_000_000 - age_h * 3600
        os.utime(site.folder / "blobs" / name[:2] / name, (seconds, seconds))
    assert (await site.sweeper.sweep(now)).contents == 1
    assert site.blob_names() == sorted([sha256(CONTENT).hex(), sha256(b"young").hex()])
    assert (await site.request("GET", kept)).status == 200
    assert (await site.sweeper.sweep(now + 3_600_000_000)).contents == 0
    assert (await site.sweeper.sweep(now + 25 * 3_600_000_000)).contents == 1
