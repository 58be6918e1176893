"""Tokens (XEP-0484): given, used, renewed, refused, and gone with their device or the password."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from lxml import etree
from tests.edges.xmpp.installation import END_POINT, FAST, SASL2, Installation, b64, bind, proof
from tests.edges.xmpp.wires import PASSWORD, Edge, an_edge

from parley.domain.errors import StorageFull
from parley.identity.sign_in import credentials_for

DAY_S = 86_400


def request(mechanism: str = "HT-SHA-256-NONE") -> str:
    return f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"


async def enrolled(edge: Edge, agent: str = "phone-1", mechanism: str = "HT-SHA-256-NONE") -> Installation:
    """An installation that has got a token; its session goes on."""
    phone = Installation(edge, agent)
    await phone.open()
    await phone.scram(bind() + request(mechanism))
    assert phone.token
    return phone


async def account_id(edge: Edge) -> int:
    account = await edge.storage.accounts.find("alice@example.org")
    assert account is not None
    return account.id


async def test_a_token_lets_its_installation_in_at_once() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        assert phone.success is not None
        given = phone.success.find(f"{{{FAST}}}token")
        assert given is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", given.get("expiry", ""))
        address, wire = phone.identifier, phone.wire
        await phone.open()
        await phone.fast(bind())
        assert phone.identifier == address
        assert phone.success.find(f"{{{FAST}}}token") is None
        assert wire.is_closed


async def test_tokens_are_not_in_the_storage() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        kept = await edge.storage.tokens.find("alice@example.org", edge.tokens.client_of("phone-1"))
        assert len(kept) == 1
        assert phone.token.encode() not in repr(kept).encode()
        assert b"phone-1" not in repr(kept).encode()


async def test_transcripts_hold_no_tokens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(5, logger="parley.edges.xmpp.clients.connection")
    logging.addLevelName(5, "TRACE")
    async with an_edge() as edge:
        phone = await enrolled(edge)
        await phone.say("<presence><status>visible</status></presence>")
        contents = [str(getattr(record, "parley_attributes", {}).get("pii.content")) for record in caplog.records]
        assert any("visible" in content for content in contents)
        assert phone.token not in "".join(contents)


async def test_a_token_may_be_bound_to_the_channel() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge, mechanism="HT-SHA-256-ENDP")
        await phone.open()
        await phone.fast(mechanism="HT-SHA-256-ENDP", binding=END_POINT)
        assert phone.success is not None
        # §3.4: with no other mechanism, even if its proof is right.
        await phone.open()
        assert phone.failure(await phone.fast()) == "not-authorized"
        await phone.open()
        assert phone.failure(await phone.fast(mechanism="HT-SHA-256-ENDP", binding=b"other")) == "not-authorized"


@pytest.mark.parametrize("mechanism", ["HT-SHA-256-EXPR", "HT-SHA-256-UNIQ", "SCRAM-SHA-256", "HT-SHA-512-NONE"])
async def test_no_token_for_what_is_not_offered(mechanism: str) -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        await phone.scram(bind() + request(mechanism))
        assert phone.success is not None
        assert not phone.token
        await phone.open()
        assert phone.failure(await phone.say(phone.request("HT-SHA-256-EXPR", b"x"))) == "invalid-mechanism"


async def test_the_older_profile_takes_no_tokens() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        await phone.open()
        said = b64(proof(phone.token))
        answer = await edge.say(
            phone.wire, f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-NONE'>{said}</auth>"
        )
        assert "<invalid-mechanism/>" in answer


async def test_another_installation_cannot_use_it() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        thief = Installation(edge, "other")
        thief.token = phone.token
        await thief.open()
        assert thief.failure(await thief.fast(bind())) == "not-authorized"
        bob = Installation(edge, "phone-1", "bob")
        bob.token = phone.token
        await bob.open()
        assert bob.failure(await bob.fast(bind())) == "not-authorized"


@pytest.mark.parametrize(
    ("said", "inside", "agent"),
    [
        (proof("x"), "", "phone-1"),
        (proof("x"), f"<fast xmlns='{FAST}'/>", ""),
        (proof("x"), f"<fast xmlns='{FAST}' count='0'/>", "phone-1"),
        (proof("x"), f"<fast xmlns='{FAST}' count='-1'/>", "phone-1"),
        (proof("x"), f"<fast xmlns='{FAST}' count='{'9' * 30}'/>", "phone-1"),
        (b"alice", f"<fast xmlns='{FAST}'/>", "phone-1"),
        (b"\0" + b"h" * 32, f"<fast xmlns='{FAST}'/>", "phone-1"),
        (b"alice\0short", f"<fast xmlns='{FAST}'/>", "phone-1"),
        (b"\xff\0" + b"h" * 32, f"<fast xmlns='{FAST}'/>", "phone-1"),
    ],
)
async def test_malformed_requests(said: bytes, inside: str, agent: str) -> None:
    async with an_edge() as edge:
        phone = Installation(edge, agent)
        await phone.open()
        assert phone.failure(await phone.say(phone.request("HT-SHA-256-NONE", said, inside))) == "malformed-request"


async def test_a_message_that_comes_after_a_challenge() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        await phone.open()
        await phone.say(phone.request("HT-SHA-256-NONE", None, f"<fast xmlns='{FAST}'/>"))
        answer = await phone.say(f"<response xmlns='{SASL2}'>{b64(proof(phone.token))}</response>")
        assert answer[0].tag == f"{{{SASL2}}}success"


async def test_a_count_comes_once() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        for count, is_welcome in ((5, True), (5, False), (4, False), (6, True)):
            await phone.open()
            await phone.fast(attributes=f"count='{count}'")
            assert (phone.success is not None) == is_welcome, count


async def test_a_token_is_renewed_and_the_old_one_lives_until_the_new_one_is_used() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        old = phone.token
        edge.clock.advance(DAY_S + 1)
        await phone.open()
        await phone.fast(bind())
        new = phone.token
        assert new != old
        # The client did not hear of it: it comes with the old one, and gets another new one.
        phone.token = old
        await phone.open()
        await phone.fast(bind())
        newest = phone.token
        assert newest not in (old, new)
        phone.token = new
        await phone.open()
        assert phone.failure(await phone.fast(bind())) == "not-authorized"
        phone.token = newest
        await phone.open()
        await phone.fast(bind())
        assert phone.success is not None
        phone.token = old
        await phone.open()
        assert phone.failure(await phone.fast(bind())) == "not-authorized"


async def test_a_token_ends_with_its_time() -> None:
    async with an_edge(login={"scram_iterations": 4096, "token_lifetime_days": 2}) as edge:
        phone = await enrolled(edge)
        edge.clock.advance(2 * DAY_S)
        await phone.open()
        # §4.2: then the client asks for the password again.
        assert phone.failure(await phone.fast(bind())) == "credentials-expired"
        phone.token = "wrong"
        assert phone.failure(await phone.fast(bind())) == "not-authorized"


async def test_no_tokens_where_they_live_for_no_time() -> None:
    async with an_edge(login={"scram_iterations": 4096, "token_lifetime_days": 0}) as edge:
        phone = Installation(edge)
        features = await phone.open()
        assert FAST not in etree.tostring(features).decode()
        await phone.scram(bind() + request())
        assert not phone.token
        await phone.open()
        assert phone.failure(await phone.fast()) == "invalid-mechanism"


async def test_signing_out() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        edge.clock.advance(DAY_S + 1)
        old = phone.token
        await phone.open()
        await phone.fast(bind(), attributes="invalidate='true'")
        assert phone.success is not None
        assert phone.token == old
        await phone.open()
        assert phone.failure(await phone.fast()) == "not-authorized"


async def test_signing_out_with_a_new_token() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        old = phone.token
        await phone.open()
        await phone.fast(bind() + request(), attributes="invalidate='1'")
        assert phone.token != old
        await phone.open()
        await phone.fast()
        assert phone.success is not None


async def test_a_new_password_ends_tokens() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        new = credentials_for("new", 4096, bytes)
        await edge.storage.accounts.set_credentials(await account_id(edge), new)
        await phone.open()
        assert phone.failure(await phone.fast()) == "not-authorized"


async def test_a_suspended_account_is_told_so_after_the_proof() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        await edge.storage.accounts.set_suspended(await account_id(edge), True)
        await phone.open()
        assert phone.failure(await phone.fast()) == "account-disabled"
        phone.token = "wrong"
        assert phone.failure(await phone.fast()) == "not-authorized"


async def test_revoking_a_device_ends_its_session_and_its_token() -> None:
    async with an_edge() as edge:
        phone, desk = await enrolled(edge), await enrolled(edge, "desk")
        resource = phone.identifier.partition("/")[2]
        await edge.say(
            desk.wire, f"<iq type='set' id='r'><revoke xmlns='urn:parley:devices:0' resource='{resource}'/></iq>"
        )
        assert phone.wire.is_closed
        assert "<not-authorized" in phone.wire.take()
        await phone.open()
        assert phone.failure(await phone.fast(bind())) == "not-authorized"
        await desk.open()
        await desk.fast(bind())
        assert desk.success is not None


async def test_revoking_all_ends_all_tokens() -> None:
    async with an_edge() as edge:
        phone, desk = await enrolled(edge), await enrolled(edge, "desk")
        await edge.say(desk.wire, "<iq type='set' id='r'><revoke-all xmlns='urn:parley:devices:0'/></iq>")
        for each in (phone, desk):
            assert each.wire.is_closed
            await each.open()
            assert each.failure(await each.fast(bind())) == "not-authorized"


async def test_a_device_that_is_revoked_while_it_signs_in_gets_no_session() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        account, resource = await account_id(edge), phone.identifier.partition("/")[2]
        going_on = asyncio.Event()
        seen = edge.storage.devices.seen

        async def slow(*values: object, **named: object) -> None:
            await going_on.wait()
            await seen(*values, **named)  # type: ignore[arg-type]

        edge.storage.devices.seen = slow  # type: ignore[method-assign]
        await phone.open()
        wire = phone.wire
        await edge.say(wire, phone.request("HT-SHA-256-NONE", proof(phone.token), f"<fast xmlns='{FAST}'/>" + bind()))
        await edge.storage.devices.revoke(account, resource)
        going_on.set()
        assert "<not-authorized" in await edge.settle(wire)
        assert wire.is_closed
        assert list(edge.host.router) == []
        assert await edge.storage.devices.all(account) == []


async def test_what_the_list_of_devices_says() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)
        answer = await edge.say(phone.wire, "<iq type='get' id='l'><devices xmlns='urn:parley:devices:0'/></iq>")
        (device,) = re.findall(r"<device .*?/>", answer)
        for attribute in ('name="Alice\'s phone"', 'software="Talk"', 'has-token="true"', 'this="true"', "created="):
            assert attribute in device


async def test_a_token_without_a_session_belongs_to_a_device_too() -> None:
    async with an_edge() as edge:
        phone = Installation(edge)
        await phone.open()
        await phone.scram(request())
        assert phone.token
        (device,) = await edge.storage.devices.all(await account_id(edge))
        assert device.has_token
        await edge.storage.devices.revoke(device.account_id, device.resource)
        await phone.open()
        assert phone.failure(await phone.fast()) == "not-authorized"


async def test_a_full_disk_lets_installations_in() -> None:
    async with an_edge() as edge:
        phone = await enrolled(edge)

        async def full(*_: object, **_named: object) -> bool:
            raise StorageFull("storage-full")

        edge.storage.tokens.use = edge.storage.tokens.issue = full  # type: ignore[method-assign,assignment]
        edge.storage.devices.seen = full  # type: ignore[method-assign,assignment]
        await phone.open()
        await phone.fast(bind() + request())
        assert "/" in phone.identifier
        await phone.open()
        assert phone.failure(await phone.fast(attributes="count='1'")) == "temporary-auth-failure"


# Throttling and what strangers learn.

LOGIN = {"scram_iterations": 4096, "failures_per_account": 3, "failure_window_s": 60}


async def test_guesses_at_tokens_are_slowed_and_shut_nobody_else_out() -> None:
    async with an_edge(login=LOGIN) as edge:
        phone = await enrolled(edge)
        right, phone.token = phone.token, "wrong"
        await phone.open()
        answers = [phone.failure(await phone.fast()) for _ in range(3)]
        assert answers == ["not-authorized"] * 3
        await phone.open()
        phone.token = right
        assert phone.failure(await phone.fast()) == "temporary-auth-failure"
        await phone.scram()
        assert phone.success is not None
        other = await enrolled(edge, "other")
        await other.open()
        await other.fast()
        assert other.success is not None


async def test_guesses_at_the_password_do_not_shut_installations_out() -> None:
    async with an_edge(login=LOGIN) as edge:
        phone = await enrolled(edge)
        guesser = Installation(edge, "guesser")
        await guesser.open()
        for _ in range(3):
            await guesser.scram(password="guess")
        await phone.open()
        await phone.fast()
        assert phone.success is not None


async def test_attempts_count_for_the_stream() -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 2}) as edge:
        phone = Installation(edge)
        await phone.open()
        phone.token = "guess"
        await phone.fast()
        await phone.fast()
        assert phone.wire.is_closed


async def test_a_stranger_does_not_learn_who_has_an_account_or_a_token() -> None:
    async with an_edge() as edge:
        await enrolled(edge)
        answers = []
        for user, agent in (("alice", "phone-1"), ("alice", "other"), ("bob", "phone-1"), ("nobody", "phone-1")):
            stranger = Installation(edge, agent, user)
            stranger.token = "guess"
            features = etree.tostring(await stranger.open()).decode()
            answer = await stranger.fast(bind())
            answers.append((features, etree.tostring(answer[0])))
        assert len(set(answers)) == 1


# Devices.


@pytest.mark.parametrize("mechanism", ["classic", "newer"])
async def test_a_device_too_many_is_refused_where_that_is_the_policy(mechanism: str) -> None:
    limits = {"max_devices_per_account": 1, "device_policy": "refuse"}
    async with an_edge(limits=limits) as edge:
        phone = await enrolled(edge)
        if mechanism == "newer":
            desk = Installation(edge, "desk")
            await desk.open()
            answer = await desk.scram(bind() + request())
            assert desk.failure(answer) == "temporary-auth-failure"
            assert "1 devices already" in etree.tostring(answer[0]).decode()
        else:
            wire = edge.open()
            answer_ = await edge.sign_in(wire, resource="desk")
            assert "<resource-constraint " in answer_
            assert "1 devices already" in answer_
        assert not phone.wire.is_closed
        await phone.open()
        await phone.fast(bind())
        assert phone.success is not None


async def test_else_the_one_not_seen_for_longest_is_forgotten() -> None:
    async with an_edge(limits={"max_devices_per_account": 1}) as edge:
        phone = await enrolled(edge)
        edge.clock.advance(1)
        await enrolled(edge, "desk")
        await phone.open()
        assert phone.failure(await phone.fast()) == "not-authorized"


async def test_a_device_with_its_own_credential_stays_that_device() -> None:
    async with an_edge() as edge:
        account = await account_id(edge)
        (secret,) = credentials_for("device secret", 4096, bytes, ("SHA-256",))
        await edge.storage.devices.set_credential(account, "desk", secret, "", 1)
        desk = Installation(edge, "desk-id", "alice")
        await desk.open()
        said = desk.request("PLAIN", b"\0alice/desk\0device secret", bind(tag="Talk") + request())
        text = await edge.ask(desk.wire, said, "</stream:features>")
        assert "<authorization-identifier>alice@example.org/desk<" in text
        found = re.search(r' token="([^"]+)"', text)
        assert found is not None
        desk.token = found[1]
        await desk.open()
        await desk.fast(bind())
        assert desk.identifier == "alice@example.org/desk"
        assert PASSWORD not in text


async def test_a_device_revoked_between_proof_and_binding_is_not_let_in() -> None:
    async with an_edge() as edge:
        account = await account_id(edge)
        (secret,) = credentials_for("device secret", 4096, bytes, ("SHA-256",))
        await edge.storage.devices.set_credential(account, "desk", secret, "", 1)
        desk = Installation(edge, "desk-id")
        await desk.open()
        await edge.ask(desk.wire, desk.request("PLAIN", b"\0alice/desk\0device secret"), "</stream:features>")
        await edge.storage.devices.revoke(account, "desk")
        answer = await edge.say(
            desk.wire, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        assert "<not-authorized" in answer
        assert 'type="result"' not in answer
        assert desk.wire.is_closed
