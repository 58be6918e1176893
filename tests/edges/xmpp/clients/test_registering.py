"""XEP-0077 and 0445 before signing in, 0077 behind it, and 0379: over wires that the test holds in its hands."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.app.administration import Administrators
from parley.app.live import LiveServer
from parley.app.operations import Operations
from parley.base.config import LoginSettings, XmppSettings
from parley.domain.administration import Wish
from parley.identity.sign_in import fits
from parley.protocols.xmpp.jid import JID

from ..harness import Client, Harness, NoContents, hashed
from ..wires import HEADER, Edge, FakeWire, an_edge

IBR = '<register xmlns="http://jabber.org/features/iq-register"/>'
TOKEN = '<register xmlns="urn:xmpp:ibr-token:0"/>'
GET = "<iq type='get' id='g' to='example.org'><query xmlns='jabber:iq:register'/></iq>"
SET = (
    "<iq type='set' id='s' to='example.org'><query xmlns='jabber:iq:register'>"
    "<username>{0}</username><password>{1}</password></query></iq>"
)
PREAUTH = "<iq type='set' id='p' to='example.org'><preauth xmlns='urn:xmpp:pars:0' token='{0}'/></iq>"


@asynccontextmanager
async def registering(kind: str, per_address: int = 5) -> AsyncIterator[Edge]:
    xmpp = {"registration": kind, "registrations_per_address": per_address}
    async with an_edge(xmpp=xmpp, admins=["root@example.org"]) as edge:
        live = LiveServer(edge.host, edge.host.stores.directory, NoContents())  # type: ignore[arg-type]
        operations = Operations(edge.storage, edge.clock, ("example.org",), live)
        edge.host.administration = Administrators(
            operations, edge.storage, lambda: edge.host.settings, edge.clock, hashed
        )
        yield edge


async def opened(edge: Edge, kind: str = "tls", peer: str = "192.0.2.1") -> tuple[FakeWire, str]:
    wire = edge.open(kind, peer)
    return wire, await edge.say(wire, HEADER)


async def token(edge: Edge, **wish: object) -> str:
    issued = await edge.host.administration.invite(Wish("example.org", 3600, **wish), "root@example.org")  # type: ignore[arg-type]
    return issued.token


async def knows(storage: object, name: str, password: str) -> bool:
    credentials = await storage.accounts.credentials(f"{name}@example.org")  # type: ignore[attr-defined]
    return bool(credentials) and all(fits(password, each) for each in credentials)


async def test_closed_nothing_is_offered_or_taken() -> None:
    async with registering("closed") as edge:
        wire, features = await opened(edge)
        assert IBR not in features
        assert TOKEN not in features
        # XEP-0077 §3.1
        for asked in (GET, SET.format("dave", "secret"), PREAUTH.format("guess")):
            answer = await edge.say(wire, asked)
            assert answer.startswith('<iq type="error" id="')
            assert 'from="example.org"><error type="cancel" code="503"><service-unavailable ' in answer
        assert not wire.is_closed
        assert await edge.storage.accounts.find("dave@example.org") is None
        assert "<not-authorized" in await edge.say(wire, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")


async def test_closed_nobody_asks_without_end() -> None:
    async with registering("closed") as edge:
        wire, _ = await opened(edge)
        for _ in range(19):
            await edge.say(wire, GET)
        assert "<policy-violation" in await edge.say(wire, GET)


async def test_open_anybody_registers_and_signs_in_on_the_same_stream() -> None:
    async with registering("open") as edge:
        wire, features = await opened(edge)
        assert IBR in features
        asked = await edge.say(wire, GET)
        assert "<username/><password/>" in asked
        assert 'type="form"' in asked
        assert await edge.say(wire, SET.format("Dave", "secret")) == '<iq type="result" id="s" from="example.org"/>'
        assert await knows(edge.storage, "dave", "secret")
        token = base64.b64encode(b"\0dave\0secret").decode()
        auth = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"
        await edge.ask(wire, auth, "<success")


async def test_before_tls_nothing_is_offered() -> None:
    async with registering("open") as edge:
        wire, features = await opened(edge, "tcp")
        assert "<starttls" in features
        assert IBR not in features
        assert "<not-authorized" in await edge.say(wire, GET)


@pytest.mark.parametrize(
    ("username", "password", "condition"),
    [
        ("alice", "secret", 'type="cancel" code="409"><conflict'),
        ("root", "secret", 'type="cancel" code="409"><conflict'),
        ("", "secret", 'type="modify" code="406"><not-acceptable'),
        ("dave", "", 'type="modify" code="406"><not-acceptable'),
        ("a b", "secret", 'type="modify" code="406"><not-acceptable'),
        ("dave@other.example", "secret", 'type="modify" code="406"><not-acceptable'),
        ("dave/r", "secret", 'type="modify" code="406"><not-acceptable'),
    ],
)
async def test_what_cannot_be_registered(username: str, password: str, condition: str) -> None:
    async with registering("open") as edge:
        wire, _ = await opened(edge)
        assert condition in await edge.say(wire, SET.format(username, password))
        assert not wire.is_closed


async def test_by_form_and_malformed() -> None:
    async with registering("open") as edge:
        wire, _ = await opened(edge)
        form = (
            "<x xmlns='jabber:x:data' type='submit'><field var='username'><value>dave</value></field>"
            "<field var='password'><value>secret</value></field></x>"
        )
        await edge.say(wire, f"<iq type='set' id='s'><query xmlns='jabber:iq:register'>{form}</query></iq>")
        assert await knows(edge.storage, "dave", "secret")
        removal = "<iq type='set' id='s'><query xmlns='jabber:iq:register'><remove/></query></iq>"
        assert "<registration-required" in await edge.say(wire, removal)
        wrong = "<iq type='set' id='s'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data'/></query></iq>"
        assert "<bad-request" in await edge.say(wire, wrong)


async def test_one_address_opens_so_many_within_the_hour() -> None:
    async with registering("open", per_address=2) as edge:
        for name in ("dave", "erin"):
            wire, _ = await opened(edge)
            assert 'type="result"' in await edge.say(wire, SET.format(name, "secret"))
        wire, _ = await opened(edge)
        assert "<resource-constraint" in await edge.say(wire, SET.format("frank", "secret"))
        other, _ = await opened(edge, peer="198.51.100.7")
        assert 'type="result"' in await edge.say(other, SET.format("frank", "secret"))
        edge.clock.advance(3601)
        wire, _ = await opened(edge)
        assert 'type="result"' in await edge.say(wire, SET.format("grace", "secret"))


async def test_a_stream_asks_so_often() -> None:
    async with registering("open") as edge:
        wire, _ = await opened(edge)
        for _ in range(19):
            await edge.say(wire, GET)
        assert "<policy-violation" in await edge.say(wire, GET)


async def test_with_an_invitation_only() -> None:
    async with registering("invite") as edge:
        wire, features = await opened(edge)
        assert TOKEN in features
        assert 'code="403"><forbidden' in await edge.say(wire, SET.format("dave", "secret"))
        assert 'code="404"><item-not-found' in await edge.say(wire, PREAUTH.format("guess"))
        made = await token(edge)
        assert await edge.say(wire, PREAUTH.format(made)) == '<iq type="result" id="p" from="example.org"/>'
        # A name that is taken uses nothing up.
        assert "<conflict" in await edge.say(wire, SET.format("alice", "secret"))
        assert 'type="result"' in await edge.say(wire, SET.format("dave", "secret"))
        assert await knows(edge.storage, "dave", "secret")
        again, _ = await opened(edge, peer="198.51.100.7")
        assert "<item-not-found" in await edge.say(again, PREAUTH.format(made))


async def test_an_invitation_that_was_taken_in_time_holds() -> None:
    async with registering("invite") as edge:
        wire, _ = await opened(edge)
        made = await token(edge)
        await edge.say(wire, PREAUTH.format(made))
        edge.clock.advance(3601)
        assert 'type="result"' in await edge.say(wire, SET.format("dave", "secret"))
        late = await token(edge)
        edge.clock.advance(3601)
        assert "<item-not-found" in await edge.say(wire, PREAUTH.format(late))


async def test_an_invitation_for_one_name() -> None:
    async with registering("invite") as edge:
        wire, _ = await opened(edge)
        await edge.say(wire, PREAUTH.format(await token(edge, address="dave@example.org")))
        assert "<username>dave</username>" in await edge.say(wire, GET)
        assert "<not-acceptable" in await edge.say(wire, SET.format("erin", "secret"))
        assert 'type="result"' in await edge.say(wire, SET.format("dave", "secret"))


async def test_guesses_are_throttled() -> None:
    async with registering("invite", per_address=2) as edge:
        wire, _ = await opened(edge)
        answers = [await edge.say(wire, PREAUTH.format(f"guess{number}")) for number in range(3)]
        assert ["<item-not-found" in answer for answer in answers] == [True, True, False]
        assert "<resource-constraint" in answers[2]


async def test_who_invited_is_a_contact_at_once() -> None:
    async with registering("invite") as edge:
        alice = edge.open()
        await edge.sign_in(alice, "alice")
        await edge.say(alice, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
        wire, _ = await opened(edge)
        await edge.say(wire, PREAUTH.format(await token(edge, inviter="alice@example.org")))
        await edge.say(wire, SET.format("dave", "secret"))
        pushed = await edge.settle(alice)
        assert '<item jid="dave@example.org" subscription="both"/>' in pushed
        dave = await edge.storage.accounts.find("dave@example.org")
        assert dave is not None
        roster = await edge.storage.rosters.load(dave.id)
        assert roster.contacts["alice@example.org"].state.subscription == "both"


# Behind signing in.


def signed_in(**xmpp: object) -> Harness:
    return Harness(
        xmpp=XmppSettings(**xmpp),  # type: ignore[arg-type]
        login=LoginSettings(scram_iterations=4096),
    )


async def refused(client: Client, stanza: str, condition: str) -> None:
    client.take()
    await client.send(stanza)
    (answer,) = client.take()
    assert f"<{condition}" in answer, answer


async def test_who_is_signed_in_is_registered() -> None:
    async with signed_in() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        for to in (" to='example.org'", "", " to='alice@example.org'"):
            await alice.send(f"<iq type='get' id='1'{to}><query xmlns='jabber:iq:register'/></iq>")
            (answer,) = alice.take()
            assert "<registered/><instructions>" in answer
            assert "<username>alice</username><password/>" in answer


async def test_a_new_password_of_ones_own() -> None:
    async with signed_in() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/phone")
        await alice.ask(
            SET.format("alice", "new"), "<iq type='result' id='s' from='example.org' to='alice@example.org/phone'/>"
        )
        assert await knows(host.storage, "alice", "new")
        assert alice.connection.failure is None
        await refused(alice, SET.format("bob", "new"), "not-allowed")
        await refused(alice, SET.format("alice", ""), "bad-request")
        await refused(alice, SET.format("", "new"), "bad-request")


async def test_the_end_of_ones_account() -> None:
    removal = "<iq type='set' id='s' to='example.org'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    async with signed_in() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        await refused(alice, removal, "not-allowed")
    async with signed_in(account_removal=True) as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        await refused(alice, removal.replace("<remove/>", "<remove/><username/>"), "bad-request")
        await alice.ask(removal, "<iq type='result' id='s' from='example.org' to='alice@example.org/phone'/>")
        assert alice.connection.failure is not None
        assert await host.storage.accounts.find("alice@example.org") is None


class Partners:
    """Keeps what would go to other servers."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def check(self, stanza: bytes, sender: JID, to: JID) -> None:
        """Whatever it is."""

    def send(self, stanza: bytes, sender: JID, to: JID) -> None:
        self.kept.append(stanza.decode())

    keep = send


async def test_contacts_are_told_that_an_account_goes() -> None:
    removal = "<iq type='set' id='s' to='example.org'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    async with signed_in(account_removal=True) as host:
        partners = host.host.federation = Partners()  # type: ignore[assignment]
        await host.add("alice", "bob", "carol")
        await host.befriend("alice", "bob")
        bob = await host.connect("bob/desk", presence="")
        carol = await host.connect("carol/desk")
        for client in (bob, carol):
            await client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
        await carol.send("<presence to='alice@example.org' type='subscribe'/>")
        alice = await host.connect("alice/phone", presence="")
        await alice.send("<presence to='romeo@elsewhere.example' type='subscribe'/>")
        for client in (bob, carol):
            client.take()
        partners.kept.clear()
        await alice.send(removal)
        # RFC 6121 §3.2.2: first everybody is gone.
        bob.expect(
            "<presence from='alice@example.org/phone' to='bob@example.org' type='unavailable'/>",
            "<presence from='alice@example.org' to='bob@example.org' type='unsubscribe'/>",
            "<presence from='alice@example.org' to='bob@example.org' type='unsubscribed'/>",
            "<iq type='set' id='*' to='bob@example.org/desk'><query xmlns='jabber:iq:roster' ver='*'>"
            "<item jid='alice@example.org' subscription='none'/></query></iq>",
        )
        carol.expect(
            "<presence from='alice@example.org' to='carol@example.org' type='unsubscribed'/>",
            "<iq type='set' id='*' to='carol@example.org/desk'><query xmlns='jabber:iq:roster' ver='*'>"
            "<item jid='alice@example.org' subscription='none'/></query></iq>",
        )
        assert partners.kept == ['<presence from="alice@example.org" to="romeo@elsewhere.example" type="unsubscribe"/>']


# XEP-0379.


async def invitation(host: Harness, inviter: str) -> str:
    wish = Wish("example.org", 3600, inviter=f"{inviter}@example.org", is_account=False)
    return (await host.host.administration.invite(wish, inviter)).token


async def test_a_request_with_a_token_is_granted_both_ways() -> None:
    async with signed_in() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone", presence=""), await host.connect("bob/phone", presence="")
        for client in (alice, bob):
            await client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
            client.take()
        made = await invitation(host, "alice")
        preauth = f"<preauth xmlns='urn:xmpp:pars:0' token='{made}'/>"
        await bob.send(f"<presence type='subscribe' to='alice@example.org'>{preauth}</presence>")
        assert any('jid="bob@example.org" subscription="both"' in each for each in alice.take())
        assert any('jid="alice@example.org" subscription="both"' in each for each in bob.take())


@pytest.mark.parametrize("given", ["guess", "bobs", ""])
async def test_another_token_is_none(given: str) -> None:
    async with signed_in() as host:
        await host.add("alice", "bob", "carol")
        alice, carol = await host.connect("alice/phone", presence=""), await host.connect("carol/phone", presence="")
        made = await invitation(host, "bob") if given == "bobs" else given
        preauth = f"<preauth xmlns='urn:xmpp:pars:0' token='{made}'/>"
        await carol.send(f"<presence type='subscribe' to='alice@example.org'>{preauth}</presence>")
        (asked,) = alice.take()
        assert "subscribe" in asked
        assert (await host.storage.invitations.all() != []) is (given == "bobs")
