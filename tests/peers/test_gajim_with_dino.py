"""Gajim and Dino (Debian) with each other: what each seals, the other opens."""

from __future__ import annotations

import secrets

import pytest
from tests.support import dino, gajim
from tests.support.desktop import DOMAIN, DesktopServer, may_unshare
from tests.support.limits import within
from tests.support.slix import SlixClient, signed_in

MISSING = sorted({*gajim.MISSING, *dino.MISSING, *([] if gajim.HAS_OMEMO else ["gajim-omemo"])})

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(not MISSING and not may_unshare(), reason="not allowed: namespaces"),
    pytest.mark.xdist_group("dino"),
]


@within(180)
async def test_sealed_text_both_ways(desktop_server: DesktopServer) -> None:
    alice, bob, eve = desktop_server.person(), desktop_server.person(), SlixClient(desktop_server.person())
    async with (
        signed_in(desktop_server, eve),
        gajim.running(desktop_server, alice) as left,
        dino.running(desktop_server, bob, sealed=[alice.address]) as right,
    ):
        # Dino first: it lists a new device before it publishes its keys, and Gajim asks for them once only.
        await right.may_seal(eve)
        await right.open_chat(alice.address)
        await right.write("sealed by Dino")
        await left.does("open_chat", bob.address)
        await left.shows("sealed by Dino")
        await left.does("seal")
        await left.waits("write", "sealed by Gajim")
        await left.keeps(bob.address, "sealed by Dino", "sealed by Gajim")
        rows = await right.keeps(alice.address, "sealed by Dino", "sealed by Gajim")
        assert [row["encryption"] for row in rows] == [dino.OMEMO, dino.OMEMO]


@within(180)
async def test_a_sealed_room(desktop_server: DesktopServer) -> None:
    alice, bob, eve = desktop_server.person(), desktop_server.person(), SlixClient(desktop_server.person())
    room = f"{secrets.token_hex(4)}@conference.{DOMAIN}"
    async with (
        signed_in(desktop_server, eve),
        gajim.running(desktop_server, alice) as left,
        dino.running(desktop_server, bob, sealed_rooms=[room]) as right,
    ):
        # Gajim's own choice is a room for members whose addresses all of them see.
        await left.does("open_room", room, {})
        await left.waits("participants")
        await left.does("admit", room, bob.address)
        await right.may_seal(eve)
        await right.enter_room(room, "saurian")
        await left.waits("participants", by=lambda names: "saurian" in names)
        await left.does("seal")
        await left.waits("write", "sealed by Gajim")
        await right.keeps(room, "sealed by Gajim")
        await right.write("sealed by Dino")
        await left.shows("sealed by Dino", "saurian")
        await left.keeps(room, "sealed by Gajim", "sealed by Dino")
        rows = await right.keeps(room, "sealed by Gajim", "sealed by Dino")
        assert [row["encryption"] for row in rows] == [dino.OMEMO, dino.OMEMO]
