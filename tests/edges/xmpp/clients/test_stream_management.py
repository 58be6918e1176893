"""Acknowledgements and resumption (XEP-0198): never more than what is committed, nothing lost or doubled over a cut."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.edges.xmpp.wires import HEADER, PASSWORD, Edge, FakeWire, an_edge

from parley.domain.errors import StorageFull, StorageUnavailable
from parley.domain.messages import NewMessage, StoredMessage
from parley.domain.ports import AppendDone

SM = "xmlns='urn:xmpp:sm:3'"


class HeldLog:
    """Lets a test decide when the log commits."""

    def __init__(self, edge: Edge) -> None:
        self.append: Callable[[NewMessage, AppendDone], None] = edge.storage.messages.append
        self.held: list[tuple[NewMessage, AppendDone]] = []
        edge.storage.messages.append = self._hold  # type: ignore[method-assign]

    def _hold(self, message: NewMessage, done: AppendDone) -> None:
        self.held.append((message, done))

    def commit(self) -> None:
        for message, done in self.held:
            self.append(message, done)
        self.held.clear()

    def fail(self) -> None:
        for _message, done in self.held:
            done(StorageFull("storage-full"))
        self.held.clear()


def message(number: int, to: str = "bob@example.org") -> str:
    return (
        f"<message to='{to}' type='chat' id='m{number}'><body>text {number}</body>"
        f"<origin-id xmlns='urn:xmpp:sid:0' id='o{number}'/></message>"
    )


def bodies(text: str) -> list[str]:
    return re.findall(r"<body>(.*?)</body>", text)


async def online(edge: Edge, user: str, resource: str = "r", *, resume: bool = True) -> tuple[FakeWire, str]:
    """A session with stream management that is available; returns the id to resume it by."""
    wire = edge.open()
    await edge.sign_in(wire, user, resource)
    answer = await edge.say(wire, f"<enable {SM} resume='{'true' if resume else 'false'}'/>")
    found = re.search(r' id="([^"]+)"', answer)
    await edge.say(wire, "<presence/>")
    await edge.say(wire, f"<a {SM} h='1'/>")
    return wire, found[1] if found else ""


async def resume(edge: Edge, sm_id: str, h: int, user: str = "alice") -> tuple[FakeWire, str]:
    wire = edge.open()
    await edge.say(wire, HEADER)
    token = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    await edge.ask(wire, f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>", "<success")
    await edge.say(wire, HEADER)
    return wire, await edge.say(wire, f"<resume {SM} previd='{sm_id}' h='{h}'/>")


async def test_an_acknowledgement_waits_for_the_commit() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        wire, _ = await online(edge, "alice")
        await edge.host.stores.directory.find("bob@example.org")
        await edge.host.conversations.load("alice@example.org", "bob@example.org")
        directory = edge.host.stores.directory
        people = [await directory.find(f"{name}@example.org") for name in ("alice", "bob")]
        await edge.host.keeping.load(*people)
        for person in people:
            await edge.host.blocking.get(person.id)
        assert await edge.say(wire, f"{message(1)}<r {SM}/>") == ""
        assert await edge.say(wire, f"{message(2)}<r {SM}/>") == ""
        log.commit()
        assert re.findall(r' h="(\d+)"', await edge.settle(wire)) == ["2", "3"]


async def test_an_acknowledgement_waits_for_what_the_message_asks_of_the_server() -> None:
    async with an_edge() as edge:
        wire, _ = await online(edge, "alice")
        bob, _ = await online(edge, "bob")
        held, publish = asyncio.Event(), edge.storage.nodes.publish

        async def publish_late(*args: Any, **more: Any) -> Any:
            await held.wait()
            return await publish(*args, **more)

        edge.storage.nodes.publish = publish_late  # type: ignore[method-assign]
        seen = "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='1'/>"
        displayed = f"<displayed xmlns='urn:xmpp:mds:displayed:0'>{seen}</displayed>"
        said = f"<message to='bob@example.org' type='chat'>{displayed}<body>text 1</body></message>{message(2)}"
        assert await edge.say(wire, f"{said}<r {SM}/>") == ""
        held.set()
        assert re.findall(r' h="(\d+)"', await edge.settle(wire)) == ["3"]
        assert bodies(await edge.settle(bob)) == ["text 1", "text 2"]


async def test_a_query_behind_messages_sees_them() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        wire, _ = await online(edge, "alice")
        await edge.say(wire, message(1))
        query = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>"
        assert await edge.say(wire, query) == ""
        log.commit()
        answer = await edge.settle(wire)
        assert bodies(answer) == ["text 1"]
        assert answer.index("<forwarded") < answer.index('id="q"')


async def test_typing_does_not_overtake_a_message() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        wire, _ = await online(edge, "alice")
        bob, _ = await online(edge, "bob")
        await edge.say(wire, message(1))
        await edge.say(
            wire,
            "<message to='bob@example.org' type='chat'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>",
        )
        assert await edge.settle(bob) == ""
        log.commit()
        text = await edge.settle(bob)
        assert text.index("<body>") < text.index("<paused")


async def test_a_full_disk_refuses_the_message_and_counts_it_as_handled() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        wire, _ = await online(edge, "alice")
        await edge.say(wire, f"{message(1)}<r {SM}/>")
        log.fail()
        answer = await edge.settle(wire)
        assert '<error type="wait"' in answer
        assert "<resource-constraint " in answer
        assert 'id="m1"' in answer
        assert '<a xmlns="urn:xmpp:sm:3" h="2"/>' in answer


async def test_what_was_not_acknowledged_comes_again_on_resumption() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        bob, sm_id = await online(edge, "bob")
        await edge.say(alice, message(1) + message(2))
        assert bodies(await edge.settle(bob)) == ["text 1", "text 2"]
        bob.abort()
        await edge.say(alice, message(3))
        bob, answer = await resume(edge, sm_id, 2, "bob")
        assert '<resumed xmlns="urn:xmpp:sm:3" previd=' in answer
        assert 'h="1"' in answer
        assert bodies(answer) == ["text 2", "text 3"]
        await edge.say(bob, f"<a {SM} h='4'/>")
        bob.abort()
        _bob, answer = await resume(edge, sm_id, 4, "bob")
        assert bodies(answer) == []


async def test_resumption_waits_for_what_the_old_stream_brought() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        alice, sm_id = await online(edge, "alice")
        await edge.say(alice, message(1))
        alice.abort()
        _wire, answer = await resume(edge, sm_id, 1)
        assert answer == ""
        log.commit()
        answer = await edge.settle(_wire)
        assert '<resumed xmlns="urn:xmpp:sm:3"' in answer
        assert 'h="2"' in answer


async def test_resuming_from_a_living_stream_ends_that_one() -> None:
    async with an_edge() as edge:
        alice, sm_id = await online(edge, "alice")
        wire, answer = await resume(edge, sm_id, 1)
        assert "<resumed" in answer
        assert "<conflict " in await edge.settle(alice)
        assert alice.is_closed
        assert 'type="result"' in await edge.say(wire, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")


async def test_nobody_resumes_the_session_of_another_account() -> None:
    async with an_edge() as edge:
        alice, sm_id = await online(edge, "alice")
        _wire, answer = await resume(edge, sm_id, 1, "bob")
        assert "<item-not-found " in answer
        assert not alice.is_closed


async def test_acknowledging_more_than_was_sent_ends_the_stream() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        answer = await edge.say(alice, f"<a {SM} h='99'/>")
        assert "<undefined-condition " in answer
        assert "handled-count-too-high" in answer
        assert alice.is_closed


async def test_a_resumption_that_cannot_be_read_leaves_the_stream_to_bind() -> None:
    async with an_edge() as edge:
        alice, sm_id = await online(edge, "alice")
        wire, answer = await resume(edge, sm_id, -1)
        assert answer == f"<failed {SM}><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>".replace(
            "'", '"'
        )
        assert not alice.is_closed
        assert not wire.is_closed
        assert "<resumed" in await edge.say(wire, f"<resume {SM} previd='{sm_id}' h='1'/>")


async def test_where_nothing_can_be_resumed_that_is_said() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 0}) as edge:
        alice, sm_id = await online(edge, "alice")
        assert sm_id == ""
        _wire, answer = await resume(edge, "x", 0)
        assert "<feature-not-implemented " in answer
        assert not alice.is_closed


async def test_enabling_twice_ends_the_stream() -> None:
    # XEP-0198 §3
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        answer = await edge.say(alice, f"<enable {SM}/>")
        assert "<policy-violation " in answer
        assert alice.is_closed


async def test_after_the_time_for_resumption_messages_go_to_the_next_session_once() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        alice, _ = await online(edge, "alice")
        bob, _ = await online(edge, "bob", "phone")
        await edge.say(alice, message(1) + message(2))
        await edge.settle(bob)
        await edge.say(bob, f"<a {SM} h='2'/>")
        bob.abort()
        await edge.say(alice, message(3))
        edge.tick(61)
        await edge.settle(alice)
        assert edge.host.router.of("bob@example.org") == {}
        laptop = edge.open()
        await edge.sign_in(laptop, "bob", "laptop")
        assert bodies(await edge.say(laptop, "<presence/>")) == ["text 2", "text 3"]
        tablet = edge.open()
        await edge.sign_in(tablet, "bob", "tablet")
        assert bodies(await edge.say(tablet, "<presence/>")) == []


async def test_another_session_takes_over_what_a_lost_one_had_not_acknowledged() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        alice, _ = await online(edge, "alice")
        phone, _ = await online(edge, "bob", "phone")
        await edge.say(alice, message(1))
        phone.abort()
        laptop, _ = await online(edge, "bob", "laptop")
        assert bodies(await edge.settle(laptop)) == []
        edge.tick(61)
        assert bodies(await edge.settle(laptop)) == ["text 1"]


async def test_a_carbon_that_arrived_is_an_arrival() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        alice, _ = await online(edge, "alice")
        phone, _ = await online(edge, "bob", "phone")
        laptop, _ = await online(edge, "bob", "laptop")
        await edge.say(laptop, "<presence><priority>-1</priority></presence>")
        await edge.say(laptop, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        await edge.say(alice, message(1))
        assert bodies(await edge.settle(laptop)) == ["text 1"]
        sm = next(iter(edge.host.router.of("bob@example.org")[r] for r in ("laptop",))).sm
        assert sm is not None
        await edge.say(laptop, f"<a {SM} h='{sm.sent_count}'/>")
        phone.abort()
        edge.tick(61)
        await edge.say(laptop, "<presence><priority>5</priority></presence>")
        assert bodies(await edge.settle(laptop)) == []


@pytest.mark.parametrize("is_archiving", [True, False])
async def test_what_went_to_a_silent_device_alone_and_never_came_waits_for_the_others(is_archiving: bool) -> None:
    async with an_edge(archive={"enabled": is_archiving}) as edge:
        alice, _ = await online(edge, "alice")
        silent = edge.open()
        await edge.sign_in(silent, "bob", "silent")
        await edge.say(silent, f"<enable {SM} resume='true'/>")
        answer = await edge.say(alice, f"{message(1, 'bob@example.org/silent')}<r {SM}/>")
        assert 'h="2"' in answer
        assert bodies(await edge.settle(silent)) == ["text 1"]
        silent.abort()
        await edge.settle(silent)
        edge.tick(edge.host.settings.limits.sm_resume_timeout_s + 1)
        await edge.settle(alice)
        desk = edge.open()
        await edge.sign_in(desk, "bob", "desk")
        assert bodies(await edge.say(desk, "<presence/>")) == ["text 1"]


async def test_what_a_silent_device_acknowledged_comes_to_nobody_else_even_after_all_have_gone() -> None:
    async with an_edge(archive={"enabled": False}) as edge:
        alice, _ = await online(edge, "alice")
        silent = edge.open()
        await edge.sign_in(silent, "bob", "silent")
        await edge.say(silent, f"<enable {SM}/>")
        await edge.say(alice, message(1, "bob@example.org/silent"))
        await edge.say(silent, f"<a {SM} h='1'/>")
        silent.abort()
        await edge.settle(silent)
        desk = edge.open()
        await edge.sign_in(desk, "bob", "desk")
        assert bodies(await edge.say(desk, "<presence/>")) == []


async def test_the_cursor_follows_a_silent_device_however_much_it_acknowledges_at_once() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        silent = edge.open()
        await edge.sign_in(silent, "bob", "silent")
        await edge.say(silent, f"<enable {SM}/>")
        for number in range(250):
            await edge.say(alice, message(number, "bob@example.org/silent"))
        reads = 0
        pending = edge.storage.messages.pending

        async def counted(account_id: int, after: int, limit: int) -> list[StoredMessage]:
            nonlocal reads
            reads += 1
            return await pending(account_id, after, limit)

        edge.storage.messages.pending = counted  # type: ignore[method-assign]
        await edge.say(silent, f"<a {SM} h='250'/>")
        bob = await edge.storage.accounts.find("bob@example.org")
        assert bob is not None
        assert await pending(bob.id, 0, 1) == []
        assert reads == 4


async def test_a_log_that_cannot_be_read_leaves_the_cursor_where_it_is() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        silent = edge.open()
        await edge.sign_in(silent, "bob", "silent")
        pending = edge.storage.messages.pending

        async def unreadable(*_: object) -> list[StoredMessage]:
            raise StorageUnavailable("storage-io-error")

        edge.storage.messages.pending = unreadable  # type: ignore[assignment]
        await edge.say(alice, message(1, "bob@example.org/silent"))
        assert bodies(await edge.settle(silent)) == ["text 1"]
        edge.storage.messages.pending = pending  # type: ignore[method-assign]
        # What was delivered is not forgotten while somebody of the account is there.
        assert bodies(await edge.say(silent, "<presence/>")) == []
        silent.abort()
        await edge.settle(silent)
        desk = edge.open()
        await edge.sign_in(desk, "bob", "desk")
        assert bodies(await edge.say(desk, "<presence/>")) == []


async def test_each_ping_has_an_id_of_its_own() -> None:
    async with an_edge(limits={"idle_before_ping_s": 10, "ping_timeout_s": 5}) as edge:
        wire = edge.open()
        await edge.sign_in(wire, "alice")
        ids = []
        for _ in range(2):
            edge.tick(11)
            found = re.search(r' id="([^"]+)"', await edge.settle(wire))
            assert found is not None
            ids.append(found[1])
            await edge.say(wire, f"<iq type='result' id='{found[1]}' to='example.org'/>")
        assert ids[0] != ids[1]


async def test_what_a_full_device_cannot_take_goes_to_another() -> None:
    async with an_edge(limits={"sm_max_unacked": 10}) as edge:
        alice, _ = await online(edge, "alice")
        full, _ = await online(edge, "bob", "full")
        desk, _ = await online(edge, "bob", "desk")
        typing = "<message to='bob@example.org/full' type='chat'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>"
        await edge.say(alice, typing * 9)
        assert not full.is_closed
        await edge.settle(desk)
        await edge.say(alice, message(1, "bob@example.org/full"))
        assert full.is_closed
        assert bodies(await edge.settle(desk)) == ["text 1"]


async def test_a_session_that_lied_behind_a_cut_cannot_be_resumed() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        wire, sm_id = await online(edge, "alice")
        await edge.say(wire, f"{message(1)}<presence from='bob@example.org'/>{message(2)}")
        wire.abort()
        await edge.settle(wire)
        log.commit()
        await edge.settle(wire)
        _, answer = await resume(edge, sm_id, 1)
        assert "<item-not-found " in answer
        assert 'h="2"' in answer


async def test_what_comes_behind_the_end_of_a_stream_resumes_nothing() -> None:
    async with an_edge() as edge:
        old, sm_id = await online(edge, "alice")
        wire = edge.open()
        await edge.sign_in(wire, "alice", "other")
        await edge.say(wire, f"<presence from='bob@example.org'/><resume {SM} previd='{sm_id}' h='1'/>")
        assert wire.is_closed
        assert not old.is_closed


async def test_what_was_on_its_way_when_a_session_ended_need_not_be_sent_again() -> None:
    async with an_edge() as edge:
        await edge.host.stores.directory.find("bob@example.org")
        await edge.host.conversations.load("alice@example.org", "bob@example.org")
        directory = edge.host.stores.directory
        people = [await directory.find(f"{name}@example.org") for name in ("alice", "bob")]
        await edge.host.keeping.load(*people)
        for person in people:
            await edge.host.blocking.get(person.id)
        log = HeldLog(edge)
        wire, sm_id = await online(edge, "alice")
        await edge.say(wire, message(1) + message(2) + "<not well-formed")
        await edge.say(wire, "<")
        assert wire.is_closed
        log.commit()
        await edge.settle(wire)
        _, answer = await resume(edge, sm_id, 1)
        assert "<item-not-found " in answer
        assert 'h="3"' in answer
