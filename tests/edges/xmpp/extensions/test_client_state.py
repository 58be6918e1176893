"""XEP-0352: a client that is not looked at is not woken, loses nothing, and hears all in order."""

from __future__ import annotations

from parley.base.config import PersonalSettings
from parley.edges.xmpp.clients.session import Sent
from parley.protocols.xmpp.stream_management import StreamManagement

from ..harness import Client, Harness

AWAY = "<presence from='bob@example.org/desk' to='alice@example.org'><show>{0}</show></presence>"
TYPING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"


async def friends(host: Harness) -> tuple[Client, Client]:
    await host.add("alice", "bob")
    await host.befriend("alice", "bob")
    phone, desk = await host.connect("alice/phone", presence=""), await host.connect("bob/desk", presence="")
    phone.take()
    return phone, desk


async def test_the_latest_presence_comes_when_the_client_is_active() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        phone.session.rest()
        for show in ("away", "xa", "dnd"):
            await desk.send(f"<presence><show>{show}</show></presence>")
        phone.expect()
        phone.session.wake()
        phone.expect(AWAY.format("dnd"))
        await desk.send("<presence><show>away</show></presence>")
        phone.expect(AWAY.format("away"))


async def test_what_waited_goes_before_what_may_not_wait() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        phone.session.rest()
        await desk.send("<presence><show>away</show></presence>")
        await desk.send(f"<message to='alice@example.org' type='chat'>{TYPING}</message>")
        phone.expect()
        await desk.send("<message to='alice@example.org' type='chat'><body>1</body></message>")
        came = phone.take()
        assert ["<show>" in came[0], "composing" in came[1], "<body>" in came[2], len(came)] == [True, True, True, 3]
        # It is inactive still.
        await desk.send("<presence/>")
        phone.expect()


async def test_an_answer_comes_behind_what_waited_an_error_too() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        for request in ("<ping xmlns='urn:xmpp:ping'/>", "<x xmlns='urn:unknown'/>"):
            phone.session.rest()
            await desk.send("<presence><show>away</show></presence>")
            await phone.send(f"<iq type='get' id='1' to='example.org'>{request}</iq>")
            came = phone.take()
            assert came[0].startswith("<presence")
            assert came[1].startswith("<iq")


async def test_too_much_is_sent_at_once() -> None:
    async with Harness(personal=PersonalSettings(max_held_stanzas=0)) as host:
        phone, desk = await friends(host)
        phone.session.rest()
        await desk.send("<presence><show>away</show></presence>")
        phone.expect(AWAY.format("away"))


async def test_what_waited_is_part_of_what_is_resumed() -> None:
    async with Harness() as host:
        phone, desk = await friends(host)
        session = phone.session
        session.sm, session.sm_id = StreamManagement[Sent](100), "id"
        session.rest()
        await desk.send("<presence><show>away</show></presence>")
        assert session.sm.outstanding == 0
        host.host.sessions.connection_lost(session)
        assert [b"<show>away</show>" in sent.stanza for sent in session.sm.unacked()] == [True]
        # A new stream begins active.
        await desk.send("<presence/>")
        assert session.sm.outstanding == 2
