"""What happens at the edges of a session: long answers, races, defects, transcripts."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import pytest
from tests.edges.xmpp.clients.test_stream_management import SM, HeldLog, bodies, message, online
from tests.edges.xmpp.harness import Harness
from tests.edges.xmpp.wires import HEADER, Edge, FakeWire, an_edge

from parley.base.config import LimitSettings
from parley.domain.contacts import Contact, Roster, RosterEdit
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import StoredMessage
from parley.domain.pubsub.nodes import Node, NodeConfig, NodeItem, PubsubService
from parley.domain.subscriptions import SubscriptionState
from parley.edges.xmpp.clients.session import Presence, Session
from parley.edges.xmpp.extensions.pubsub.personal import send_last_items_to
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.jid import JID

CARBONS = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"


async def with_sm(edge: Edge, user: str, resource: str = "r") -> FakeWire:
    wire = edge.open()
    await edge.sign_in(wire, user, resource)
    await edge.say(wire, f"<enable {SM} resume='true'/>")
    return wire


def stanzas(text: str) -> int:
    return len(re.findall(r"<(?:message|presence|iq)[ >]", re.sub(r"<forwarded.*?</forwarded>", "", text)))


async def read_all(edge: Edge, wire: FakeWire, text: str, rounds: int = 60) -> str:
    """Acknowledge what came until nothing more comes."""
    seen = text
    for _ in range(rounds):
        edge.clock.advance(0.1)
        seen += await edge.say(wire, f"<a {SM} h='{stanzas(seen)}'/>")
    return seen


async def test_many_waiting_messages_come_as_fast_as_they_are_acknowledged() -> None:
    async with an_edge(limits={"sm_max_unacked": 10}) as edge:
        alice = edge.open()
        await edge.sign_in(alice, "alice")
        for number in range(50):
            await edge.say(alice, message(number))
        bob = await with_sm(edge, "bob")
        text = await edge.say(bob, "<presence/>")
        assert len(bodies(text)) < 10
        text = await read_all(edge, bob, text)
        assert bodies(text) == [f"text {number}" for number in range(50)]
        assert not bob.is_closed


async def test_who_takes_nothing_is_not_waited_for_for_ever() -> None:
    async with an_edge(limits={"sm_max_unacked": 10, "ping_timeout_s": 1}) as edge:
        alice = await with_sm(edge, "alice")
        for number in range(40):
            await edge.say(alice, message(number))
        text = await edge.say(alice, "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
        for _ in range(30):
            edge.clock.advance(0.1)
            text += await edge.settle(alice)
        assert "<resource-constraint " in text
        assert alice.is_closed
        assert list(edge.host.router) == []


async def test_a_request_that_cannot_be_read_again_does_not_keep_a_session_alive() -> None:
    async with an_edge(limits={"sm_resume_timeout_s": 60}) as edge:
        alice, _ = await online(edge, "alice")
        bob, _ = await online(edge, "bob")
        name = "x" * 60_000
        await edge.say(alice, f"<iq type='get' id='1' to='bob@example.org/r'><{name} xmlns='urn:example'/></iq>")
        bob.abort()
        await edge.settle(bob)
        edge.tick(61)
        await edge.settle(alice)
        assert edge.host.router.of("bob@example.org") == {}


async def test_a_page_of_the_archive_waits_for_a_slow_reader() -> None:
    async with an_edge(limits={"sm_max_unacked": 10}) as edge:
        alice = await with_sm(edge, "alice")
        for number in range(40):
            await edge.say(alice, message(number))
        text = await edge.say(alice, "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
        text = await read_all(edge, alice, text)
        assert bodies(text) == [f"text {number}" for number in range(40)]
        assert text.index("<fin ") > text.rindex("<body>")


async def test_many_contacts_that_are_there_do_not_overflow_who_comes() -> None:
    async with an_edge(limits={"sm_max_unacked": 10}) as edge:
        alice = await edge.storage.accounts.find("alice@example.org")
        assert alice is not None
        both = SubscriptionState(to=True, from_=True)
        for number in range(30):
            name = f"friend{number:02}@example.org"
            friend = await edge.storage.accounts.add(name, [], 0)
            await edge.storage.rosters.put(friend.id, Contact("alice@example.org", state=both), 100)
            await edge.storage.rosters.put(alice.id, Contact(name, state=both), 100)
            await is_there(edge, name)
        wire = await with_sm(edge, "alice")
        text = await read_all(edge, wire, await edge.say(wire, "<presence/>"))
        assert len(set(re.findall(r"from='?\"?(friend\d+@)", text))) == 30
        assert not wire.is_closed


async def is_there(edge: Edge, address: str) -> None:
    """A session of an account without a password."""
    account = await edge.host.stores.directory.find(address)
    assert account is not None
    jid = JID.parse(address).with_resource("r")
    session = Session(edge.host, account, jid, None)  # type: ignore[arg-type]
    session.presence = Presence(b'<presence from="%b"/>' % str(jid).encode(), 0, "")
    edge.host.sessions.opened(session)


class HeldPending:
    """Lets a test decide when waiting messages are read."""

    def __init__(self, edge: Edge) -> None:
        self._pending = edge.storage.messages.pending
        self.go_on = asyncio.Event()
        edge.storage.messages.pending = self._wait  # type: ignore[method-assign]

    async def _wait(self, account_id: int, after: int, limit: int) -> Sequence[StoredMessage]:
        await self.go_on.wait()
        return await self._pending(account_id, after, limit)


async def test_a_message_that_comes_during_catching_up_comes_once() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        pending = HeldPending(edge)
        bob = edge.open()
        await edge.sign_in(bob, "bob", "phone")
        await edge.say(bob, CARBONS)
        await edge.say(bob, "<presence/>")
        await edge.say(alice, message(1))
        assert bodies(await edge.settle(bob)) == []
        pending.go_on.set()
        assert bodies(await edge.settle(bob)) == ["text 1"]


async def test_a_waiting_message_for_a_device_with_negative_priority_reaches_it() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        bot = edge.open()
        await edge.sign_in(bot, "bob", "bot")
        await edge.say(bot, "<presence><priority>-1</priority></presence>")
        pending = HeldPending(edge)
        phone = edge.open()
        await edge.sign_in(phone, "bob", "phone")
        await edge.say(phone, "<presence/>")
        await edge.say(alice, message(1, "bob@example.org/bot"))
        pending.go_on.set()
        assert bodies(await edge.settle(bot)) == ["text 1"]


async def test_reading_the_mailbox_fails_for_a_while() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        await edge.say(alice, message(1))
        pending, failures = edge.storage.messages.pending, 0

        async def fail(account_id: int, after: int, limit: int) -> list[StoredMessage]:
            nonlocal failures
            failures += 1
            if failures < 4:
                raise StorageUnavailable("storage-failed")
            return await pending(account_id, after, limit)

        edge.storage.messages.pending = fail  # type: ignore[method-assign]
        bob = edge.open()
        await edge.sign_in(bob, "bob")
        text = await edge.say(bob, "<presence/>")
        for wait_s, count in ((1, 2), (1, 2), (1, 3), (2, 3), (2, 4)):
            edge.clock.advance(wait_s)
            text += await edge.settle(bob)
            assert failures == count
        assert bodies(text) == ["text 1"]


async def test_a_defect_in_a_rule_refuses_the_message_and_nothing_else() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        await phone.send("<message to='bob@example.org' type='chat'><body>first</body></message>")

        class Broken:
            def accept(self, *_: object) -> None:
                raise ValueError("a defect")

        pipeline, host.host.pipeline = host.host.pipeline, Broken()  # type: ignore[assignment]
        await phone.ask(
            "<message to='bob@example.org' type='chat' id='1'><body>x</body></message>",
            "<message type='error' id='1' from='bob@example.org' to='alice@example.org/phone'>"
            "<error type='cancel' code='500'>"
            "<internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
        )
        host.host.pipeline = pipeline
        await phone.ask(
            "<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>",
            "<iq type='result' id='2' to='alice@example.org/phone'/>",
        )


async def test_who_is_gone_when_the_roster_is_read_is_nowhere_present() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        bob = await host.connect("bob/desk", presence="")
        phone = await host.connect("alice/phone")
        bob.take()
        go_on = asyncio.Event()
        load = host.storage.rosters.load

        async def slow(account_id: int) -> Roster:
            await go_on.wait()
            return await load(account_id)

        host.storage.rosters.load = slow  # type: ignore[method-assign]
        host.host.rosters.forget(phone.session.account.id)
        await phone.send("<presence/>")
        phone.session.end()
        go_on.set()
        await host.settle()
        bob.expect()


async def test_two_changes_of_a_roster_that_is_forgotten_in_between_are_both_there() -> None:
    async with Harness() as host:
        alice = await host.add("alice")
        rosters = host.host.rosters
        edit = host.storage.rosters.edit

        async def slow(edits: Sequence[RosterEdit], limit: int) -> list[int]:
            await asyncio.sleep(0)
            return await edit(edits, limit)

        host.storage.rosters.edit = slow  # type: ignore[method-assign]
        first = asyncio.ensure_future(rosters.update(alice, "a@example.org", lambda _: Contact("a@example.org")))
        await asyncio.sleep(0)
        rosters.forget(alice.id)
        await rosters.update(alice, "b@example.org", lambda _: Contact("b@example.org"))
        await first
        assert set((await rosters.get(alice.id)).contacts) == {"a@example.org", "b@example.org"}


@pytest.mark.parametrize(
    "stanza",
    [
        "<presence to='bob@example.org' type='unsubscribe' id='1'/>",
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
        "<item jid='bob@example.org' subscription='remove'/></query></iq>",
    ],
)
async def test_of_a_change_that_is_half_stored_nothing_is_stored_and_nobody_hears(stanza: str) -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        await host.befriend("alice", "bob")
        phone = await host.connect("alice/phone", presence="")
        desk = await host.connect("bob/desk", presence="")
        ids = [client.session.account.id for client in (phone, desk)]
        roster = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
        for client in (phone, desk):
            await client.send(roster)
            client.take()
        before = [await host.storage.rosters.load(account_id) for account_id in ids]
        put = host.storage.rosters.put

        async def fail_for_bob(account_id: int, contact: Contact, limit: int) -> int:
            if account_id == desk.session.account.id:
                raise StorageUnavailable("storage-io-error")
            return await put(account_id, contact, limit)

        host.storage.rosters.put = fail_for_bob  # type: ignore[method-assign]
        await phone.send(stanza)
        (answer,) = phone.take()
        assert "type='error'" in answer.replace('"', "'")
        desk.expect()
        assert [await host.storage.rosters.load(account_id) for account_id in ids] == before
        assert [await host.host.rosters.get(account_id) for account_id in ids] == before
        # Asked again, it is done at both ends.
        host.storage.rosters.put = put  # type: ignore[method-assign]
        await phone.send(stanza)
        theirs = (await host.storage.rosters.load(ids[1])).contacts["alice@example.org"].state
        assert not theirs.from_


async def test_two_who_decide_about_each_other_at_once_do_not_wait_for_ever() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/r", presence=""), await host.connect("bob/r", presence="")
        edit = host.storage.rosters.edit

        async def slow(edits: Sequence[RosterEdit], limit: int) -> list[int]:
            await asyncio.sleep(0)
            return await edit(edits, limit)

        host.storage.rosters.edit = slow  # type: ignore[method-assign]
        alice.session.receive(Element.from_bytes(b"<presence to='bob@example.org' type='subscribe'/>"))
        await bob.send("<presence to='alice@example.org' type='subscribe'/>")
        for client, other in ((alice, "bob"), (bob, "alice")):
            roster = await host.host.rosters.get(client.session.account.id)
            state = roster.contacts[f"{other}@example.org"].state
            assert (state.pending_out, state.pending_in) == (True, True)


async def test_a_request_for_a_subscription_is_bounded() -> None:
    async with Harness(limits=LimitSettings(max_roster_items=1)) as host:
        await host.add("alice", "bob", "carol")
        alice, carol = await host.connect("alice/r"), await host.connect("carol/r")
        long = f"<presence to='bob@example.org' type='subscribe' id='1'><status>{'x' * 5000}</status></presence>"
        await alice.send(long)
        assert "<not-acceptable" in alice.take()[0]
        bob = await host.connect("bob/r", presence="")
        await alice.send("<presence to='bob@example.org' type='subscribe'/>")
        assert len(bob.take()) == 1
        # One more than bob's roster holds is dropped, and carol learns nothing of it.
        await carol.send("<presence to='bob@example.org' type='subscribe'/>")
        assert bob.take() == []
        assert carol.take() == []


async def test_directed_presence_is_bounded() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        for start in range(0, 1000, 5):
            await phone.send(*(f"<presence to='u{number}@example.org'/>" for number in range(start, start + 5)))
        assert phone.take() == []
        await phone.send("<presence to='u1@example.org'/>", "<presence to='more@example.org'/>")
        (answer,) = phone.take()
        assert "<resource-constraint" in answer


async def test_stanzas_carry_the_language_of_their_stream() -> None:
    async with an_edge() as edge:
        bob, _ = await online(edge, "bob")
        alice = edge.open()
        german = HEADER.replace("version=", "xml:lang='de' version=")
        await edge.sign_in(alice, "alice", header=german)
        text = await edge.say(alice, message(1)) + await edge.settle(bob)
        assert 'xml:lang="de"' in text
        await edge.say(alice, message(2).replace("<message", "<message xml:lang='fr'"))
        text = await edge.settle(bob)
        assert "xml:lang='fr'" in text
        assert 'xml:lang="de"' not in text


async def test_transcripts_hold_no_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(5, logger="parley.edges.xmpp.clients.connection")
    logging.addLevelName(5, "TRACE")
    async with an_edge() as edge:
        alice = edge.open()
        await edge.sign_in(alice, "alice", "phone")
        credential = (
            "<iq type='set' id='1'><credential xmlns='urn:parley:devices:0' resource='phone' mechanism='SHA-256' "
            "salt='c2FsdHNhbHRzYWx0c2FsdA==' iterations='4096' stored-key='U1RPUkVE' server-key='U0VSVkVS'/></iq>"
        )
        # In pieces, as a network brings it.
        for piece in (credential[:80], credential[80:200], credential[200:]):
            await edge.say(alice, piece)
        await edge.say(alice, "<presence><status>visible</status></presence>")
    contents = [str(getattr(record, "parley_attributes", {}).get("pii.content")) for record in caplog.records]
    assert any("visible" in content for content in contents)
    joined = "".join(contents)
    for secret in ("U1RPUkVE", "U0VSVkVS", "AGFsaWNlAHNlY3JldA", "salt"):
        assert secret not in joined


async def test_very_many_messages_on_their_way_pause_the_reading() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        await edge.host.stores.directory.find("bob@example.org")
        await edge.host.conversations.load("alice@example.org", "bob@example.org")
        directory = edge.host.stores.directory
        people = [await directory.find(f"{name}@example.org") for name in ("alice", "bob")]
        await edge.host.keeping.load(*people)
        for person in people:
            await edge.host.blocking.get(person.id)
        log = HeldLog(edge)
        await edge.say(alice, "".join(message(number) for number in range(512)))
        assert not alice.is_reading
        log.commit()
        await edge.settle(alice)
        assert alice.is_reading


async def test_draining_ends_streams_and_keeps_what_was_not_acknowledged() -> None:
    async with an_edge() as edge:
        alice, _ = await online(edge, "alice")
        bob, _ = await online(edge, "bob", "phone")
        laptop, _ = await online(edge, "bob", "laptop")
        await edge.say(alice, message(1))
        for wire in (bob, laptop):
            assert bodies(await edge.settle(wire)) == ["text 1"]
        async with asyncio.TaskGroup() as group:
            group.create_task(edge.server.drain())
            for _ in range(5):
                await asyncio.sleep(0)
            edge.clock.advance(0.02)
        for wire in (alice, bob, laptop):
            text = wire.take()
            assert "<system-shutdown " in text
            assert bodies(text) == []
            assert text.endswith("</stream:stream>")
            assert wire.is_closed
        assert list(edge.host.router) == []
        assert edge.open().is_closed
        account = await edge.storage.accounts.find("bob@example.org")
        assert account is not None
        assert len(await edge.storage.messages.pending(account.id, 0, 10)) == 1


async def test_draining_acknowledges_what_is_on_its_way_to_the_log() -> None:
    async with an_edge() as edge:
        log = HeldLog(edge)
        alice, _ = await online(edge, "alice")
        plain = edge.open()
        await edge.sign_in(plain, "carol")
        await edge.say(alice, message(1))
        async with asyncio.TaskGroup() as group:
            group.create_task(edge.server.drain())
            assert await edge.settle(alice) == ""
            assert not alice.is_reading
            log.commit()
            for _ in range(3):
                edge.clock.advance(0.02)
                await edge.settle(plain)
        text = alice.take()
        assert text.index('<a xmlns="urn:xmpp:sm:3" h="2"/>') < text.index("<system-shutdown ")
        assert plain.is_closed


async def test_draining_waits_for_a_log_that_hangs_only_so_long() -> None:
    async with an_edge(limits={"drain_timeout_s": 2}) as edge:
        log = HeldLog(edge)
        alice, _ = await online(edge, "alice")
        await edge.say(alice, message(1))
        async with asyncio.TaskGroup() as group:
            group.create_task(edge.server.drain())
            for _ in range(3):
                await edge.settle(edge.open())
                edge.clock.advance(1)
        text = alice.take()
        assert '<a xmlns="urn:xmpp:sm:3" h="1"/>' in text
        assert "<system-shutdown " in text
        log.commit()
        await edge.settle(alice)


async def test_a_defect_ends_the_stream_with_an_error() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        session = next(iter(edge.host.router))

        def defect(_element: object) -> None:
            raise RuntimeError("a defect")

        session.receive = defect  # type: ignore[method-assign]
        assert "<internal-server-error " in await edge.say(wire, "<presence/>")
        assert wire.is_closed
        assert list(edge.host.router) == []


async def test_stanzas_are_counted_both_ways() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        await edge.say(wire, "<presence/><message to='alice@example.org'><body>x</body></message>")
        figures = edge.host.metrics
        for kind, came_in, went_out in (("presence", 1, 1), ("message", 1, 1), ("iq", 0, 0)):
            assert figures.value("parley_stanzas_total", direction="in", kind=kind) == came_in
            assert figures.value("parley_stanzas_total", direction="out", kind=kind) == went_out
        assert figures.value("parley_delivery_seconds_count") == 1
        assert figures.value("parley_connections", transport="tls") == 1
        assert figures.value("parley_sessions") == 1


async def test_the_last_items_of_many_nodes_wait_for_a_slow_reader() -> None:
    async with an_edge(limits={"sm_max_unacked": 10}) as edge:
        alice = await edge.storage.accounts.find("alice@example.org")
        assert alice is not None
        names = [f"urn:example:{number:02}" for number in range(30)]
        service = PubsubService(alice.address, alice.id)
        for name in names:
            await edge.storage.nodes.create(Node(service, name, NodeConfig()), 100)
            item = NodeItem("1", alice.address, 0, b"<x xmlns='urn:example'/>")
            await edge.storage.nodes.publish(service, name, item)
        wire, _ = await online(edge, "alice")
        (session,) = edge.host.router
        session.notify_nodes = frozenset(names)
        edge.host.supervisor.spawn("last items", send_last_items_to(edge.host, session, names))
        text = await edge.settle(wire)
        assert 0 < text.count("<items ") < 10
        session.acknowledged(1 + text.count("<items "))
        for _ in range(20):
            edge.clock.advance(0.1)
            text += await edge.settle(wire)
            session.acknowledged(1 + text.count("<items "))
        assert re.findall(r'<items node="([^"]+)"', text) == names
        assert not wire.is_closed
