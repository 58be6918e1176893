"""XEP-0202 and XEP-0012."""

from __future__ import annotations

from parley.protocols.xmpp.datetimes import format_datetime

from ..harness import Harness

LAST = "<iq type='get' id='1' to='{0}'><query xmlns='jabber:iq:last'/></iq>"
ANSWER = (
    "<iq type='result' id='1' from='{0}' to='alice@example.org/phone'>"
    "<query xmlns='jabber:iq:last' seconds='{1}'>{2}</query></iq>"
)
REFUSED = (
    "<iq type='error' id='1' from='bob@example.org' to='alice@example.org/phone'><error type='{0}' code='{1}'>"
    "<{2} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)


async def test_the_time_here() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        now = format_datetime(host.clock.now_us() // 1_000_000 * 1_000_000)
        await phone.ask(
            "<iq type='get' id='1' to='example.org'><time xmlns='urn:xmpp:time'/></iq>",
            "<iq type='result' id='1' from='example.org' to='alice@example.org/phone'>"
            f"<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>{now}</utc></time></iq>",
        )


async def test_how_long_the_server_is_up() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        host.clock.advance(75.9)
        await phone.ask(LAST.format("example.org"), ANSWER.format("example.org", 75, ""))


async def test_who_is_here_left_no_time_ago() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone = await host.connect("alice/phone")
        await host.connect("bob/desk", presence="")
        await phone.ask(LAST.format("bob@example.org"), ANSWER.format("bob@example.org", 0, ""))


async def test_who_left_did_so_with_their_last_device_and_word() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone = await host.connect("alice/phone")
        desk, tablet = await host.connect("bob/desk", presence=""), await host.connect("bob/tablet", presence="")
        await desk.send("<presence type='unavailable'><status>Out</status></presence>")
        host.clock.advance(10)
        await phone.ask(LAST.format("bob@example.org"), ANSWER.format("bob@example.org", 0, ""))
        await tablet.send("<presence type='unavailable'><status>Gone &amp; lost</status></presence>")
        host.clock.advance(903)
        await phone.ask(LAST.format("bob@example.org"), ANSWER.format("bob@example.org", 903, "Gone &amp; lost"))


async def test_who_was_cut_off_left_too() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone, desk = await host.connect("alice/phone"), await host.connect("bob/desk", presence="")
        desk.session.end()
        await host.settle()
        host.clock.advance(5)
        await phone.ask(LAST.format("bob@example.org"), ANSWER.format("bob@example.org", 5, ""))


async def test_strangers_do_not_learn_it() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        await host.connect("bob/desk", presence="")
        await phone.ask(LAST.format("bob@example.org"), REFUSED.format("auth", 403, "forbidden"))


async def test_who_was_never_here_did_not_leave() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone = await host.connect("alice/phone")
        await phone.ask(LAST.format("bob@example.org"), REFUSED.format("cancel", 503, "service-unavailable"))
        await phone.available()
        await phone.ask(LAST.format("alice@example.org"), ANSWER.format("alice@example.org", 0, ""))
