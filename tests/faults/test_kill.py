"""SIGKILL under load, at random instants: what was acknowledged is there afterwards, once, in order."""

from __future__ import annotations

import asyncio
import os
import random
import time

import httpx
import pytest
from tests.faults.ledger import Tally
from tests.faults.load import PutUploader, Talker, TusUploader, Uploader, Worker, archived, is_there, working
from tests.support.limits import within
from tests.support.server import ParleyServer

PAIRS = 3
LONGEST_LIFE_S = 1.2
FINISH_S = 60
SOAK_KILLS = 200
SETTINGS = {
    "limits": ["bytes_per_s = 100000000", "burst_bytes = 100000000", "sm_max_unacked = 100000"],
    "upload": ["quota_bytes = 100000000000", "min_free_bytes = 0", "max_incomplete = 1000"],
}


@within(170)
async def test_ten_kills_lose_and_double_nothing() -> None:
    await kill_again_and_again(kills=10, minutes=0)


@pytest.mark.soak
async def test_many_kills_lose_and_double_nothing() -> None:
    await kill_again_and_again(kills=SOAK_KILLS, minutes=float(os.environ.get("PARLEY_SOAK_MINUTES", "0")))


async def kill_again_and_again(kills: int, minutes: float) -> None:
    """At least so many kills, and for at least so long."""
    with ParleyServer(SETTINGS, people=2 * PAIRS + 2) as server:
        people = [server.person() for _ in range(2 * PAIRS)]
        talkers = [Talker(server, person, people[number ^ 1]) for number, person in enumerate(people)]
        uploaders: list[Uploader] = [PutUploader(server, server.person()), TusUploader(server, server.person())]
        workers: list[Worker] = [*talkers, *uploaders]
        done, ends_at = 0, time.monotonic() + minutes * 60
        async with working(workers, FINISH_S):
            while done < kills or time.monotonic() < ends_at:
                await asyncio.sleep(random.random() * LONGEST_LIFE_S)
                server.kill()
                done += 1
                await asyncio.to_thread(server.start)
            # Some life after the last kill too.
            await asyncio.sleep(LONGEST_LIFE_S)
        await judge(server, done, talkers, uploaders)


async def judge(server: ParleyServer, kills: int, talkers: list[Talker], uploaders: list[Uploader]) -> None:
    """Compare what was acknowledged with what is there, print the counts and fail on the first wrong one."""
    stored, streamed, files = Tally(), Tally(), Tally()
    for number, talker in enumerate(talkers):
        peer = talkers[number ^ 1]
        sender = talker.person.name
        for reader in (talker, peer):
            found = await archived(server, reader.person, sender)
            stored.compare(f"{sender} in the archive of {reader.person.name}", talker.acknowledged, found)
        await peer.catch_up(talker)
        streamed.compare(f"{sender} received by {peer.person.name}", talker.acknowledged, peer.distinct(sender))
    async with httpx.AsyncClient(timeout=20) as http:
        for uploader in uploaders:
            for file in uploader.files:
                if file.is_complete:
                    files.check(file.get, await is_there(http, file))
                files.trouble.extend(file.shortfalls)
    lives = sum(talker.lives for talker in talkers)
    print(f"\nkills: {kills}, sign-ins of senders: {lives}")
    print(f"messages in both archives: {stored}")
    print(f"messages over streams: {streamed}")
    print(f"uploads: {files}")
    refused = [refusal for talker in talkers for refusal in talker.refused]
    trouble = [*stored.trouble, *streamed.trouble, *files.trouble, *refused]
    assert not trouble, trouble
    assert stored.acknowledged > 20 * kills
    assert files.acknowledged > kills
    # Kills that met no traffic would prove nothing.
    assert lives > kills * len(talkers) // 2
