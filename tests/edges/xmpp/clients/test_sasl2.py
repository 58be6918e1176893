"""Signing in by the newer profile (XEP-0388) with Bind 2 (XEP-0386) and SCRAM upgrades (XEP-0480)."""

from __future__ import annotations

import base64
import hashlib

import pytest
from lxml import etree
from tests.edges.xmpp.installation import BIND2, FAST, SASL2, SM, Installation, b64, bind, header, parse
from tests.edges.xmpp.wires import HEADER, PASSWORD, Edge, an_edge
from tests.protocols.xmpp.scram_client import ScramClient

from parley.domain.errors import StorageUnavailable
from parley.domain.messages import NewMessage
from parley.domain.ports import AppendDone
from parley.identity.sign_in import credentials_for

STREAMS = "http://etherx.jabber.org/streams"
UPGRADE = "urn:xmpp:sasl:upgrade:0"
SCRAM_UPGRADE = "urn:xmpp:scram-upgrade:0"
OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>"
CARBONS = "<enable xmlns='urn:xmpp:carbons:2'/>"


def names(elements: list[etree._Element]) -> list[str]:
    return [str(element.tag).rpartition("}")[2] for element in elements]


async def test_what_is_offered_stands_in_one_feature() -> None:
    async with an_edge() as edge:
        features = await Installation(edge).open()
        (offer,) = features.findall(f"{{{SASL2}}}authentication")
        mechanisms = [each.text for each in offer.findall(f"{{{SASL2}}}mechanism")]
        assert mechanisms[0] == "SCRAM-SHA-512-PLUS"
        assert "PLAIN" in mechanisms
        assert not any(str(name).startswith("HT-") for name in mechanisms)
        inline = offer.find(f"{{{SASL2}}}inline")
        assert inline is not None
        assert inline.find(f"{{{SM}}}sm") is not None
        variables = [each.get("var") for each in inline.iterfind(f"{{{BIND2}}}bind/{{{BIND2}}}inline/*")]
        assert {"urn:xmpp:carbons:2", SM} <= set(variables)
        tokens = [each.text for each in inline.iterfind(f"{{{FAST}}}fast/*")]
        assert tokens == ["HT-SHA-256-ENDP", "HT-SHA-256-NONE"]
        assert [each.text for each in offer.findall(f"{{{UPGRADE}}}upgrade")] == [
            "UPGR-SCRAM-SHA-256",
            "UPGR-SCRAM-SHA-512",
        ]


async def test_nothing_of_it_without_tls() -> None:
    async with an_edge(xmpp={"require_tls": False}) as edge:
        for kind in ("tcp", "websocket"):
            wire = edge.open(kind)
            start = (
                HEADER
                if kind == "tcp"
                else "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>"
            )
            assert SASL2 not in await edge.say(wire, start)
            answer = await edge.say(wire, f"<authenticate xmlns='{SASL2}' mechanism='SCRAM-SHA-1'/>")
            assert "<not-authorized" in answer
            assert wire.is_closed


async def test_a_websocket_has_tls_where_that_is_required() -> None:
    async with an_edge() as edge:
        wire = edge.open("websocket")
        answer = await edge.say(wire, OPEN)
        assert f'<authentication xmlns="{SASL2}">' in answer
        assert "<mechanism>HT-SHA-256-NONE</mechanism>" in answer
        assert "ENDP" not in answer


async def test_scram_without_a_new_stream() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        success, features = await phone.scram()
        assert phone.identifier == "alice@example.org"
        assert success.find(f"{{{SASL2}}}additional-data") is not None
        assert features.tag == f"{{{STREAMS}}}features"
        assert features.find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is not None
        (bound,) = await phone.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        assert bound.get("type") == "result"


async def test_the_offer_is_told_again_under_the_passwords_protection() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        features = await phone.open()
        offered = sorted(
            str(each.text) for each in features.iterfind(f"{{{SASL2}}}authentication/{{{SASL2}}}mechanism")
        )
        said = "\x1e".join(offered) + "\x1ftls-server-end-point"
        await phone.scram()
        expected = base64.b64encode(hashlib.sha256(said.encode()).digest()).decode()
        assert f",h={expected}" in phone.challenge.decode()


async def test_channel_binding() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        assert names(await phone.scram(mechanism="SCRAM-SHA-512-PLUS")) == ["success", "features"]


async def test_a_wrong_password_may_be_tried_again() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(bind(), password="wrong")
        assert phone.failure(answer) == "not-authorized"
        # RFC 5802 §7
        assert answer[0].findtext(f"{{{SASL2}}}additional-data") == b64(b"e=invalid-proof")
        assert list(edge.host.router) == []
        await phone.scram(bind())
        assert phone.success is not None


@pytest.mark.parametrize(
    ("request_", "condition"),
    [
        (f"<authenticate xmlns='{SASL2}' mechanism='X'/>", "invalid-mechanism"),
        (f"<authenticate xmlns='{SASL2}'/>", "invalid-mechanism"),
        (
            f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'><initial-response>%</initial-response></authenticate>",
            "incorrect-encoding",
        ),
        (
            f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'><initial-response>=</initial-response></authenticate>",
            "incorrect-encoding",
        ),
        (
            f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'><user-agent id='{'x' * 300}'/></authenticate>",
            "malformed-request",
        ),
        (f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/><abort xmlns='{SASL2}'/>", "aborted"),
    ],
)
async def test_what_is_refused_at_once(request_: str, condition: str) -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 2}) as edge:
        phone = Installation(edge)
        await phone.open()
        assert phone.failure((await phone.say(request_))[-1:]) == condition
        # Twice is the limit for what might have been a guess.
        is_guess = condition not in ("invalid-mechanism", "aborted")
        assert ("<policy-violation" in await edge.say(phone.wire, request_)) is is_guess


async def test_anything_else_while_signing_in_ends_the_stream() -> None:
    async with an_edge() as edge:
        for said in ("<message/>", f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>", f"<next xmlns='{SASL2}'/>"):
            phone = Installation(edge)
            await phone.open()
            await phone.say(f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>")
            assert "<not-authorized" in await edge.say(phone.wire, said)
            assert phone.wire.is_closed


async def test_who_is_in_does_not_sign_in_again() -> None:
    async with an_edge() as edge:
        for inside in ("", bind()):
            phone = Installation(edge)
            await phone.open()
            await phone.scram(inside)
            assert "<stream:error" in await edge.say(phone.wire, phone.request("PLAIN", b"\0alice\0secret"))


async def test_the_header_names_who_signs_in() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open(head=header("bob"))
        assert phone.failure(await phone.plain()) == "invalid-authzid"
        await phone.open(head=HEADER)
        await phone.scram()
        assert phone.success is not None
        await phone.open(head=header().replace("alice@example.org", "alice@elsewhere.example"))
        assert "<invalid-from" in await edge.say(phone.wire, phone.request("PLAIN", b"\0alice\0secret"))


async def test_binding_goes_with_it() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(bind(CARBONS + f"<enable xmlns='{SM}' resume='true'/>", tag="Talk"))
        assert names(answer) == ["success", "features"]
        bare, _, resource = phone.identifier.partition("/")
        assert bare == "alice@example.org"
        assert resource.startswith("Talk/")
        assert phone.agent not in resource
        bound = answer[0].find(f"{{{BIND2}}}bound")
        assert bound is not None
        enabled = bound.find(f"{{{SM}}}enabled")
        assert enabled is not None
        assert enabled.get("id")
        assert bound.find("{urn:xmpp:mam:2}metadata") is not None
        (session,) = edge.host.router
        assert session.is_carbons_enabled
        assert str(session.jid) == phone.identifier
        (pong,) = (await phone.say("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"))[:1]
        assert pong.get("type") == "result"
        features = answer[1]
        assert features.find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is None


async def test_stanzas_may_stand_behind_the_request() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        ping = "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"
        request = phone.request("PLAIN", b"\0alice\0secret", bind()) + ping
        text = await edge.ask(phone.wire, request, 'id="1"')
        assert text.index("</success>") < text.index("</stream:features>") < text.index('id="1"')


async def test_limits_of_who_is_in_hold_from_then_on() -> None:
    limits = {"max_stanza_bytes_unauthenticated": 10000, "max_stanza_bytes": 50000}
    async with an_edge(limits=limits) as edge:
        phone = Installation(edge)
        features = await phone.open()
        told = "{urn:xmpp:stream-limits:0}limits/{urn:xmpp:stream-limits:0}max-bytes"
        assert features.findtext(told) == "10000"
        _, features = await phone.scram(bind())
        assert features.findtext(told) == "50000"
        text = "x" * 20000
        answer = await edge.say(
            phone.wire, f"<message to='alice@example.org/none' id='m'><body>{text}</body></message>"
        )
        assert "<stream:error" not in answer
        assert not phone.wire.is_closed


async def test_an_installation_has_one_session_and_one_resource() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        await phone.scram(bind(tag="Talk"))
        first, wire = phone.identifier, phone.wire
        await phone.open()
        await phone.scram(bind(tag="Talk"))
        assert phone.identifier == first
        assert wire.is_closed
        newer = Installation(edge)
        await newer.open()
        await newer.scram(bind(tag="Talk2"))
        assert newer.identifier != first
        assert phone.wire.is_closed
        other = Installation(edge, "tablet")
        await other.open()
        await other.scram(bind(tag="Talk2"))
        assert other.identifier != newer.identifier
        assert not newer.wire.is_closed


async def test_without_an_id_each_binding_is_new() -> None:
    async with an_edge() as edge:
        found = set()
        for _ in range(2):
            phone = Installation(edge, agent="")
            await phone.open()
            await phone.scram(bind(tag="x" * 1100))
            found.add(phone.identifier)
        assert len(found) == 2
        assert len(list(edge.host.router)) == 2


async def test_what_waits_in_the_archive_is_not_sent() -> None:
    async with an_edge() as edge:
        bob = edge.open()
        await edge.sign_in(bob, "bob")
        for number in range(3):
            await edge.say(
                bob, f"<message to='alice@example.org' type='chat' id='m{number}'><body>{number}</body></message>"
            )
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(bind())
        metadata = answer[0].find(f"{{{BIND2}}}bound/{{urn:xmpp:mam:2}}metadata")
        assert metadata is not None
        assert names(list(metadata)) == ["start", "end"]
        assert "<body>" not in await edge.say(phone.wire, "<presence/>")
        await edge.say(bob, "<message to='alice@example.org' type='chat' id='m9'><body>9</body></message>")
        assert "<body>9</body>" in await edge.settle(phone.wire)


async def test_without_an_archive_what_waits_is_sent() -> None:
    async with an_edge(archive={"enabled": False}) as edge:
        bob = edge.open()
        await edge.sign_in(bob, "bob")
        await edge.say(bob, "<message to='alice@example.org' type='chat' id='m'><body>text</body></message>")
        phone = Installation(edge)
        await phone.open()
        assert "metadata" not in etree.tostring((await phone.scram(bind()))[0]).decode()
        assert "<body>text</body>" in await edge.say(phone.wire, "<presence/>")


async def test_a_session_is_resumed_with_signing_in() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(bind(f"<enable xmlns='{SM}' resume='true'/>"))
        sm_id = answer[0].find(f".//{{{SM}}}enabled").get("id")  # type: ignore[union-attr]
        await phone.say("<presence/>")
        await phone.say(f"<a xmlns='{SM}' h='1'/>")
        address = phone.identifier
        phone.wire.abort()
        await edge.settle(phone.wire)
        bob = edge.open()
        await edge.sign_in(bob, "bob")
        await edge.say(bob, "<message to='alice@example.org' type='chat' id='m'><body>text</body></message>")
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='1'/>" + bind())
        assert names(answer)[:3] == ["success", "features", "message"]
        assert phone.identifier == address
        resumed = answer[0].find(f"{{{SM}}}resumed")
        assert resumed is not None
        assert resumed.get("h") == "1"
        assert answer[0].find(f"{{{BIND2}}}bound") is None
        assert len([session for session in edge.host.router if session.account.address == "alice@example.org"]) == 1


async def test_who_cannot_resume_is_told_and_bound() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='none' h='1'/>" + bind())
        failed = answer[0].find(f"{{{SM}}}failed")
        assert failed is not None
        assert names(list(failed)) == ["item-not-found"]
        assert answer[0].find(f"{{{BIND2}}}bound") is not None
        assert "/" in phone.identifier


async def test_resumption_alone_that_fails_leaves_binding_to_do() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='none' h='1'/>")
        assert phone.identifier == "alice@example.org"
        assert answer[1].find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is not None


async def test_one_session_too_many_is_told_as_such() -> None:
    async with an_edge(limits={"max_resources_per_account": 1}) as edge:
        phone, tablet = Installation(edge), Installation(edge, "tablet")
        await phone.open()
        await phone.scram(bind())
        await tablet.open()
        answer = await tablet.scram(bind())
        assert tablet.failure(answer) == "temporary-auth-failure"
        assert "resource-constraint" in etree.tostring(answer[0]).decode()
        assert "too many sessions" in etree.tostring(answer[0]).decode()
        assert not phone.wire.is_closed


async def test_a_storage_that_cannot_be_read_lets_people_in_all_the_same() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()

        async def bounds(_account: int) -> None:
            raise StorageUnavailable("storage-failed")

        edge.storage.messages.bounds = bounds  # type: ignore[method-assign,assignment]
        await phone.scram(bind())
        assert "/" in phone.identifier


# Upgrades (XEP-0480).


async def with_one_hash(edge: Edge, mechanism: str = "SHA-1") -> None:
    account = await edge.storage.accounts.find("alice@example.org")
    assert account is not None
    kept = credentials_for(PASSWORD, 4096, bytes, (mechanism,))
    await edge.storage.accounts.set_credentials(account.id, kept)


def asks(*tasks: str) -> str:
    return "".join(f"<upgrade xmlns='{UPGRADE}'>{task}</upgrade>" for task in tasks)


async def perform(phone: Installation, task: str) -> list[etree._Element]:
    """Do one upgrade as a client does."""
    (data,) = await phone.say(f"<next xmlns='{SASL2}' task='{task}'/>")
    salt = data.find(f"{{{SCRAM_UPGRADE}}}salt")
    assert salt is not None
    name = task.rpartition("SCRAM-")[2].replace("-", "").lower()
    salted = hashlib.pbkdf2_hmac(
        name, PASSWORD.encode(), base64.b64decode(salt.text or ""), int(salt.get("iterations", ""))
    )
    answer = f"<hash xmlns='{SCRAM_UPGRADE}'>{b64(salted)}</hash>"
    return await phone.say(f"<task-data xmlns='{SASL2}'>{answer}</task-data>")


async def test_an_account_gets_the_keys_that_it_has_none_of() -> None:
    async with an_edge() as edge:
        await with_one_hash(edge)
        phone = Installation(edge)
        await phone.open()
        wanted = asks("UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512", "UPGR-OTHER")
        (first,) = await phone.scram(wanted + bind(), mechanism="SCRAM-SHA-1")
        assert first.findtext(f"{{{SASL2}}}tasks/{{{SASL2}}}task") == "UPGR-SCRAM-SHA-256"
        assert first.find(f"{{{SASL2}}}additional-data") is not None
        assert list(edge.host.router) == []
        (second,) = await perform(phone, "UPGR-SCRAM-SHA-256")
        assert second.findtext(f"{{{SASL2}}}tasks/{{{SASL2}}}task") == "UPGR-SCRAM-SHA-512"
        assert names(await perform(phone, "UPGR-SCRAM-SHA-512")) == ["success", "features"]
        for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            await phone.open()
            await phone.scram(wanted, mechanism=mechanism)
            assert phone.success is not None, mechanism


@pytest.mark.parametrize(
    "said",
    [
        f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>",
        f"<task-data xmlns='{SASL2}'/>",
        f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-512'/><task-data xmlns='{SASL2}'/>",
        f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-512'/><next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-512'/>",
        f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-512'/>"
        f"<task-data xmlns='{SASL2}'><hash xmlns='{SCRAM_UPGRADE}'>eHg=</hash></task-data>",
        f"<abort xmlns='{SASL2}'/>",
    ],
)
async def test_a_task_done_wrong_lets_nobody_in(said: str) -> None:
    async with an_edge() as edge:
        await with_one_hash(edge)
        phone = Installation(edge)
        await phone.open()
        await phone.scram(asks("UPGR-SCRAM-SHA-512") + bind(), mechanism="SCRAM-SHA-1")
        answer = await phone.say(said)
        assert phone.failure(answer[-1:]) in ("malformed-request", "aborted")
        assert list(edge.host.router) == []
        assert len(await edge.storage.accounts.credentials("alice@example.org")) == 1
        assert "<not-authorized" in await edge.say(phone.wire, "<presence/>")


async def test_stanzas_instead_of_a_task_end_the_stream() -> None:
    async with an_edge() as edge:
        await with_one_hash(edge)
        phone = Installation(edge)
        await phone.open()
        await phone.scram(asks("UPGR-SCRAM-SHA-512"), mechanism="SCRAM-SHA-1")
        assert "<not-authorized" in await edge.say(phone.wire, "<presence/>")
        assert phone.wire.is_closed


async def test_who_did_not_show_the_password_adds_nothing_to_it() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        await phone.scram(bind() + f"<request-token xmlns='{FAST}' mechanism='HT-SHA-256-NONE'/>")
        account = await edge.storage.accounts.find("alice@example.org")
        assert account is not None
        (sha1,) = credentials_for(PASSWORD, 4096, bytes, ("SHA-1",))
        edge.storage.accounts._tables.account(account.id).credentials = [sha1]
        await phone.open()
        await phone.fast(asks("UPGR-SCRAM-SHA-512"))
        assert phone.success is not None
        secret = credentials_for("device secret", 4096, bytes, ("SHA-256",))[0]
        await edge.storage.devices.set_credential(account.id, "desk", secret, "", 1)
        await phone.open()
        client = ScramClient("sha256", "alice/desk", "device secret")
        (challenge,) = await phone.say(phone.request("SCRAM-SHA-256", client.first(), asks("UPGR-SCRAM-SHA-512")))
        final = client.final(base64.b64decode(challenge.text or ""))
        assert names(await phone.say(f"<response xmlns='{SASL2}'>{b64(final)}</response>")) == ["success", "features"]


async def test_storage_that_fails_during_a_task_lets_nobody_in_and_asks_to_come_later() -> None:
    async with an_edge() as edge:
        await with_one_hash(edge)

        async def add_credential(*_: object) -> bool:
            raise StorageUnavailable("storage-failed")

        edge.storage.accounts.add_credential = add_credential  # type: ignore[method-assign]
        phone = Installation(edge)
        await phone.open()
        await phone.scram(asks("UPGR-SCRAM-SHA-512") + bind(), mechanism="SCRAM-SHA-1")
        assert phone.failure(await perform(phone, "UPGR-SCRAM-SHA-512")) == "temporary-auth-failure"
        assert list(edge.host.router) == []


# What may happen in between.


async def test_what_no_archive_holds_is_sent_with_all_that_came_behind_it() -> None:
    async with an_edge() as edge:
        bob = edge.open()
        await edge.sign_in(bob, "bob")
        hint = "<no-permanent-store xmlns='urn:xmpp:hints'/>"
        for number, inside in enumerate(("", hint, "")):
            body = f"<body>{number}</body>{inside}"
            await edge.say(bob, f"<message to='alice@example.org' type='chat' id='m{number}'>{body}</message>")
        phone = Installation(edge)
        await phone.open()
        await phone.scram(bind())
        answer = await edge.say(phone.wire, "<presence/>")
        assert [number for number in range(3) if f"<body>{number}</body>" in answer] == [1, 2]


async def test_an_account_that_is_closed_meanwhile_gets_no_session() -> None:
    async with an_edge() as edge:
        await with_one_hash(edge)
        phone = Installation(edge)
        await phone.open()
        await phone.scram(asks("UPGR-SCRAM-SHA-512") + bind(), mechanism="SCRAM-SHA-1")
        account = await edge.storage.accounts.find("alice@example.org")
        assert account is not None
        await edge.storage.accounts.set_suspended(account.id, True)
        edge.host.stores.directory.forget(account.address)
        answer = await perform(phone, "UPGR-SCRAM-SHA-512")
        assert names(answer)[-1] == "error"
        assert phone.wire.is_closed
        assert list(edge.host.router) == []


async def resumable(edge: Edge) -> tuple[Installation, str]:
    phone = Installation(edge)
    await phone.open()
    answer = await phone.scram(bind(f"<enable xmlns='{SM}' resume='true'/>"))
    enabled = answer[0].find(f".//{{{SM}}}enabled")
    assert enabled is not None
    return phone, enabled.get("id", "")


async def test_a_count_that_is_none_resumes_nothing_and_ends_nothing() -> None:
    async with an_edge() as edge:
        phone, sm_id = await resumable(edge)
        phone.wire.abort()
        await edge.settle(phone.wire)
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='x'/>")
        failed = answer[0].find(f"{{{SM}}}failed")
        assert failed is not None
        assert names(list(failed)) == ["bad-request"]
        assert not phone.wire.is_closed
        assert "<resumed" in await edge.say(phone.wire, f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>")


async def test_a_wrong_count_ends_the_stream_and_not_the_session() -> None:
    async with an_edge() as edge:
        phone, sm_id = await resumable(edge)
        phone.wire.abort()
        await edge.settle(phone.wire)
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='9'/>" + bind())
        assert names(answer) == ["error"]
        assert names(list(answer[0]))[0] == "undefined-condition"
        assert phone.wire.is_closed
        assert len(list(edge.host.router)) == 1


async def test_a_living_stream_is_left_for_the_new_one() -> None:
    async with an_edge() as edge:
        phone, sm_id = await resumable(edge)
        old = phone.wire
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>")
        assert answer[0].find(f"{{{SM}}}resumed") is not None
        assert old.is_closed
        assert not phone.wire.is_closed
        (pong,) = (await phone.say("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"))[:1]
        assert pong.get("type") == "result"


async def test_resumption_waits_for_what_the_old_stream_brought() -> None:
    async with an_edge() as edge:
        phone, sm_id = await resumable(edge)
        held: list[tuple[NewMessage, AppendDone]] = []
        append = edge.storage.messages.append
        edge.storage.messages.append = lambda message, done: held.append((message, done))  # type: ignore[method-assign]
        await edge.say(phone.wire, "<message to='bob@example.org' type='chat' id='m'><body>x</body></message>")
        phone.wire.abort()
        await edge.settle(phone.wire)
        await phone.open()
        assert await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>" + bind()) == []
        assert held
        for message, done in held:
            append(message, done)
        answer = parse(await edge.settle(phone.wire))
        resumed = answer[0].find(f"{{{SM}}}resumed")
        assert resumed is not None
        assert resumed.get("h") == "1"


async def test_who_goes_while_it_waits_leaves_the_session_to_be_resumed() -> None:
    async with an_edge() as edge:
        phone, sm_id = await resumable(edge)
        held: list[tuple[NewMessage, AppendDone]] = []
        append = edge.storage.messages.append
        edge.storage.messages.append = lambda message, done: held.append((message, done))  # type: ignore[method-assign]
        await edge.say(phone.wire, "<message to='bob@example.org' type='chat' id='m'><body>x</body></message>")
        await phone.open()
        await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>")
        phone.wire.abort()
        await edge.settle(phone.wire)
        for message, done in held:
            append(message, done)
        await edge.settle(phone.wire)
        await phone.open()
        answer = await phone.scram(f"<resume xmlns='{SM}' previd='{sm_id}' h='0'/>")
        assert answer[0].find(f"{{{SM}}}resumed") is not None
