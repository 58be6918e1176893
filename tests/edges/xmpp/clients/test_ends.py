"""The end of a stream and of a session: what the client said before it is done, within a bounded time."""

from __future__ import annotations

import pytest
from tests.edges.xmpp.clients.test_stream_management import SM, HeldLog, bodies, message, online, resume
from tests.edges.xmpp.wires import Edge, FakeWire, an_edge

END = "</stream:stream>"
QUERY = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>"


async def end(edge: Edge, wire: FakeWire, how: str, said: str) -> None:
    """Say something and end the connection before any of it can be done."""
    assert wire.receiver is not None
    wire.receiver.received((said + (END if how == "clean" else "")).encode())
    wire.abort()
    await edge.settle(wire)


async def known(edge: Edge) -> None:
    """Alice has written to bob before, so that her messages wait for nothing but the log."""
    await edge.host.stores.directory.find("bob@example.org")
    await edge.host.conversations.load("alice@example.org", "bob@example.org")
    directory = edge.host.stores.directory
    people = [await directory.find(f"{name}@example.org") for name in ("alice", "bob")]
    await edge.host.keeping.load(*people)
    for person in people:
        await edge.host.blocking.get(person.id)


@pytest.mark.parametrize("how", ["clean", "cut"])
@pytest.mark.parametrize("first", ["", "<presence/>", QUERY])
async def test_what_was_sent_before_the_end_is_delivered(how: str, first: str) -> None:
    async with an_edge() as edge:
        bob, _ = await online(edge, "bob")
        alice = edge.open()
        await edge.sign_in(alice, "alice")
        await end(edge, alice, how, f"{first}{message(1)}{QUERY}{message(2)}")
        assert bodies(await edge.settle(bob)) == ["text 1", "text 2"]
        assert edge.host.router.of("alice@example.org") == {}
        assert edge.host.metrics.value("parley_sessions") == 1
        assert not edge.host.sessions.is_working


async def test_a_cut_session_that_can_be_resumed_does_what_came_before() -> None:
    async with an_edge() as edge:
        bob, _ = await online(edge, "bob")
        alice, sm_id = await online(edge, "alice")
        await end(edge, alice, "cut", f"{QUERY}{message(1)}")
        assert bodies(await edge.settle(bob)) == ["text 1"]
        _, answer = await resume(edge, sm_id, 1)
        assert "<resumed" in answer
        assert 'h="3"' in answer


async def test_the_last_presence_is_told_as_it_was_said() -> None:
    async with an_edge() as edge:
        watcher, _ = await online(edge, "alice", "watcher")
        leaver, _ = await online(edge, "alice", "leaver")
        await edge.settle(watcher)
        await end(edge, leaver, "clean", f"{QUERY}<presence type='unavailable'><status>bye</status></presence>")
        text = await edge.settle(watcher)
        assert text.count("unavailable") == 1
        assert "<status>bye</status>" in text


async def test_a_log_that_hangs_is_waited_for_only_so_long() -> None:
    async with an_edge(limits={"ping_timeout_s": 30}) as edge:
        await known(edge)
        log = HeldLog(edge)
        alice, _ = await online(edge, "alice")
        await end(edge, alice, "clean", f"{message(1)}{QUERY}")
        assert edge.host.sessions.is_working
        assert edge.host.metrics.value("parley_sessions") == 1
        edge.tick(31)
        await edge.settle(alice)
        assert not edge.host.sessions.is_working
        assert edge.host.metrics.value("parley_sessions") == 0
        log.commit()
        await edge.settle(alice)


async def test_the_next_session_on_the_resource_does_not_end_what_the_last_one_said() -> None:
    async with an_edge() as edge:
        await known(edge)
        log = HeldLog(edge)
        bob, _ = await online(edge, "bob")
        alice = edge.open()
        await edge.sign_in(alice, "alice")
        await end(edge, alice, "clean", f"{message(1)}{QUERY}{message(2)}")
        again = edge.open()
        assert "<jid>" in await edge.sign_in(again, "alice")
        log.commit()
        await edge.settle(again)
        log.commit()
        assert bodies(await edge.settle(bob)) == ["text 1", "text 2"]
        assert list(edge.host.router.of("alice@example.org")) == ["r"]


async def test_what_is_being_said_last_cannot_be_resumed_and_its_count_follows() -> None:
    async with an_edge() as edge:
        await known(edge)
        log = HeldLog(edge)
        alice, sm_id = await online(edge, "alice")
        await end(edge, alice, "clean", f"{message(1)}{QUERY}{message(2)}")
        for h in (1, 4):
            _, answer = await resume(edge, sm_id, 1)
            assert "<item-not-found " in answer
            assert f'h="{h}"' in answer
            log.commit()
            await edge.settle(alice)
            log.commit()
            await edge.settle(alice)


async def test_a_session_cut_in_the_middle_of_a_long_answer_is_resumed() -> None:
    async with an_edge(limits={"sm_max_unacked": 40}) as edge:
        writer = edge.open()
        await edge.sign_in(writer, "bob", "writer")
        for number in range(30):
            await edge.say(writer, message(number))
        bob = edge.open()
        await edge.sign_in(bob, "bob", "reader")
        sm_id = (await edge.say(bob, f"<enable {SM} resume='true'/>")).split(' id="')[1].split('"')[0]
        assert len(bodies(await edge.say(bob, QUERY))) == 20
        bob.abort()
        await edge.settle(bob)
        wire, answer = await resume(edge, sm_id, 0, "bob")
        edge.clock.advance(0.1)
        answer += await edge.settle(wire)
        assert "<resumed" in answer
        assert bodies(answer) == [f"text {number}" for number in range(30)]
        assert "<fin " in answer


async def test_of_two_that_resume_a_session_the_earlier_is_refused() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        alice, sm_id = await online(edge, "alice")
        await end(edge, alice, "cut", message(1))
        earlier, answer = await resume(edge, sm_id, 1)
        assert answer == ""
        later, answer = await resume(edge, sm_id, 1)
        assert answer == ""
        assert "<item-not-found " in await edge.settle(earlier)
        log.commit()
        assert "<resumed" in await edge.settle(later)
        assert await edge.settle(earlier) == ""


@pytest.mark.parametrize("is_waiting", [True, False])
async def test_a_resumption_that_never_completes_does_not_keep_the_session(is_waiting: bool) -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60, "handshake_timeout_s": 300}) as edge:
        HeldLog(edge)
        alice, sm_id = await online(edge, "alice")
        await end(edge, alice, "cut", message(1))
        wire, _ = await resume(edge, sm_id, 1)
        if not is_waiting:
            wire.abort()
            await edge.settle(wire)
        edge.tick(61)
        text = await edge.settle(wire)
        assert edge.host.router.of("alice@example.org") == {}
        assert not is_waiting or "<item-not-found " in text


async def test_resuming_from_a_living_stream_that_breaks_before_it_is_done_leaves_nothing_behind() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        HeldLog(edge)
        alice, sm_id = await online(edge, "alice")
        await edge.say(alice, message(1))
        wire, _ = await resume(edge, sm_id, 1)
        wire.abort()
        await edge.settle(wire)
        edge.tick(61)
        await edge.settle(wire)
        assert edge.host.router.of("alice@example.org") == {}
