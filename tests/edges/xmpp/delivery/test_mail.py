"""Mail of an account with several sessions: each gets what is for it, once, whoever comes, rests or goes."""

from __future__ import annotations

import pytest
from tests.edges.xmpp.clients.test_session_edges import CARBONS, HeldPending, read_all, with_sm
from tests.edges.xmpp.clients.test_stream_management import SM, bodies, message, online
from tests.edges.xmpp.wires import an_edge

NEGATIVE = "<presence><priority>-1</priority></presence>"
UNAVAILABLE = "<presence type='unavailable'/>"


async def test_what_is_for_a_device_comes_past_the_mail_that_another_one_is_slow_to_take() -> None:
    async with an_edge(limits={"sm_max_unacked": 20}) as edge:
        alice, _ = await online(edge, "alice")
        for number in range(30):
            await edge.say(alice, message(number))
        desk = await with_sm(edge, "bob", "desk")
        await edge.say(desk, CARBONS)
        text = await edge.say(desk, "<presence/>")
        phone = await with_sm(edge, "bob", "phone")
        await edge.say(phone, NEGATIVE)
        await edge.say(alice, message(99, "bob@example.org/phone"))
        assert bodies(await edge.settle(phone)) == ["text 99"]
        text = await read_all(edge, desk, text + await edge.settle(desk))
        # One copy (XEP-0280) when it came, and the waiting mail in its order.
        assert sorted(bodies(text)) == sorted(f"text {number}" for number in (*range(30), 99))
        assert text.count("<forwarded") == 1
        assert bodies(await edge.settle(phone)) == []


@pytest.mark.parametrize("has_copies", [True, False])
async def test_what_waits_for_a_device_that_is_there_goes_to_no_other(has_copies: bool) -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        pending = HeldPending(edge)
        desk, phone = edge.open(), edge.open()
        for wire, name in ((desk, "desk"), (phone, "phone")):
            await edge.sign_in(wire, "bob", name)
            await edge.say(wire, f"{CARBONS if has_copies else ''}<presence/>")
        await edge.say(alice, message(1, "bob@example.org/phone"))
        pending.go_on.set()
        assert bodies(await edge.settle(phone)) == ["text 1"]
        assert bodies(await edge.settle(desk)) == ["text 1"] * has_copies


@pytest.mark.parametrize("rest", [UNAVAILABLE, NEGATIVE])
async def test_what_is_on_its_way_to_a_session_does_not_come_again_when_it_rested(rest: str) -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        bob = await with_sm(edge, "bob")
        await edge.say(bob, "<presence/>")
        await edge.say(alice, message(1) + message(2))
        assert bodies(await edge.settle(bob)) == ["text 1", "text 2"]
        assert bodies(await edge.say(bob, rest + "<presence/>")) == []
        await edge.say(alice, message(3))
        assert bodies(await edge.settle(bob)) == ["text 3"]
        session = edge.host.router.of("bob@example.org")["r"]
        assert session.sm is not None
        await edge.say(bob, f"<a {SM} h='{session.sm.sent_count}'/>")
        bob.abort()
        edge.tick(edge.host.settings.limits.sm_resume_timeout_s + 1)
        desk = edge.open()
        await edge.sign_in(desk, "bob", "desk")
        assert bodies(await edge.say(desk, "<presence/>")) == []


async def test_what_a_resting_session_never_had_goes_to_another_when_it_is_gone() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        bob = await with_sm(edge, "bob")
        await edge.say(bob, "<presence/>")
        await edge.say(alice, message(1))
        await edge.say(bob, UNAVAILABLE)
        desk, _ = await online(edge, "bob", "desk")
        assert bodies(await edge.settle(desk)) == []
        bob.abort()
        await edge.settle(bob)
        edge.tick(edge.host.settings.limits.sm_resume_timeout_s + 1)
        assert bodies(await edge.settle(desk)) == ["text 1"]


async def test_what_a_device_had_past_an_older_message_comes_to_nobody_after_all_have_gone() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        silent = edge.open()
        await edge.sign_in(silent, "bob", "silent")
        await edge.say(alice, message(1) + message(2, "bob@example.org/silent"))
        assert bodies(await edge.settle(silent)) == ["text 2"]
        silent.abort()
        await edge.settle(silent)
        for name, expected in (("desk", ["text 1"]), ("tablet", [])):
            wire = edge.open()
            await edge.sign_in(wire, "bob", name)
            assert bodies(await edge.say(wire, "<presence/>")) == expected
            wire.abort()
            await edge.settle(wire)
