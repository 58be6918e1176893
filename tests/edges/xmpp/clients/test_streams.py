"""Streams from the first byte to a bound resource, and what ends them (RFC 6120 §4 to §7)."""

from __future__ import annotations

import base64

import pytest
from tests.edges.xmpp.wires import HEADER, PASSWORD, an_edge

SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"


def plain(user: str, password: str = PASSWORD, authzid: str = "") -> str:
    token = base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()
    return f"<auth {SASL} mechanism='PLAIN'>{token}</auth>"


async def test_a_secure_stream_offers_scram_with_channel_binding_and_plain() -> None:
    async with an_edge() as edge:
        answer = await edge.say(edge.open(), HEADER)
        assert "<starttls" not in answer
        for name in ("SCRAM-SHA-512-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"):
            assert f"<mechanism>{name}</mechanism>" in answer
        assert '<channel-binding type="tls-server-end-point"/>' in answer
        assert '<bind xmlns="urn:ietf' not in answer


async def test_a_plain_stream_offers_nothing_but_tls_when_that_is_required() -> None:
    async with an_edge() as edge:
        wire = edge.open("tcp")
        answer = await edge.say(wire, HEADER)
        assert "<starttls" in answer
        assert "<required/>" in answer
        assert "mechanism" not in answer
        assert "<encryption-required/>" in await edge.say(wire, plain("alice"))


async def test_starttls_begins_a_new_stream_and_drops_what_came_in_clear() -> None:
    async with an_edge() as edge:
        wire = edge.open("tcp")
        await edge.say(wire, HEADER)
        injected = "<iq type='set' id='evil'/>"
        answer = await edge.say(wire, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + injected)
        assert answer.startswith("<proceed")
        assert wire.kind == "tls"
        answer = await edge.say(wire, HEADER)
        assert "SCRAM-SHA-1-PLUS" in answer
        assert "<starttls" not in answer
        assert "evil" not in answer


async def test_plain_streams_get_scram_but_never_plain_where_configured() -> None:
    async with an_edge(xmpp={"require_tls": False}) as edge:
        wire = edge.open("tcp")
        answer = await edge.say(wire, HEADER)
        assert "<mechanism>SCRAM-SHA-1</mechanism>" in answer
        assert "PLAIN" not in answer
        assert "PLUS" not in answer
        assert "<invalid-mechanism/>" in await edge.say(wire, plain("alice"))


async def test_signing_in_and_binding() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        assert "<jid>alice@example.org/phone</jid>" in await edge.sign_in(wire, resource="phone")
        assert [str(session.jid) for session in edge.host.router] == ["alice@example.org/phone"]


async def test_pipelined_stanzas_behind_binding_are_handled_after_it() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        await edge.ask(wire, plain("alice"), "<success")
        bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        answer = await edge.say(wire, HEADER + bind + "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert answer.index('id="b"') < answer.index('id="p"')


@pytest.mark.parametrize(
    ("user", "password", "authzid", "condition"),
    [
        ("alice", "wrong", "", "not-authorized"),
        ("nobody", PASSWORD, "", "not-authorized"),
        ("al@ice", PASSWORD, "", "not-authorized"),
        ("alice", PASSWORD, "bob@example.org", "invalid-authzid"),
        ("alice/gone", PASSWORD, "", "not-authorized"),
    ],
)
async def test_refused_sign_ins(user: str, password: str, authzid: str, condition: str) -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        wire_said = await edge.ask(wire, plain(user, password, authzid), "<failure") if not wire.out else wire.take()
        assert f"<{condition}/>" in wire_said


async def test_an_unknown_and_a_known_name_are_refused_alike() -> None:
    answers = []
    async with an_edge() as edge:
        for user in ("alice", "nobody"):
            wire = edge.open()
            await edge.say(wire, HEADER)
            answers.append(await edge.ask(wire, plain(user, "wrong"), "<failure"))
    assert answers[0] == answers[1]


async def test_a_suspended_account_is_told_so_only_with_the_right_password() -> None:
    async with an_edge() as edge:
        account = await edge.storage.accounts.find("alice@example.org")
        assert account is not None
        await edge.storage.accounts.set_suspended(account.id, True)
        for password, condition in ((PASSWORD, "account-disabled"), ("wrong", "not-authorized")):
            wire = edge.open()
            await edge.say(wire, HEADER)
            assert f"<{condition}/>" in await edge.ask(wire, plain("alice", password), "<failure")


async def test_after_some_attempts_the_stream_ends() -> None:
    async with an_edge(login={"scram_iterations": 4096, "attempts_per_stream": 2}) as edge:
        wire = edge.open()
        await edge.say(wire, HEADER)
        await edge.ask(wire, plain("alice", "wrong"), "<failure")
        assert "<policy-violation" in await edge.ask(wire, plain("alice", "wrong"), "</stream:stream>")
        assert wire.is_closed


async def test_guesses_over_many_connections_are_throttled() -> None:
    login = {"scram_iterations": 4096, "failures_per_account": 2, "failure_window_s": 60}
    async with an_edge(login=login) as edge:
        for number in range(2):
            wire = edge.open(peer=f"192.0.2.{number}")
            await edge.say(wire, HEADER)
            await edge.ask(wire, plain("alice", "wrong"), "<failure")
        wire = edge.open(peer="192.0.2.9")
        await edge.say(wire, HEADER)
        assert "<temporary-auth-failure/>" in await edge.ask(wire, plain("alice"), "<failure")
        edge.clock.advance(60)
        await edge.ask(wire, plain("alice"), "<success")


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        ("<stream:stream to='elsewhere.example' version='1.0' xmlns='jabber:client' "
         "xmlns:stream='http://etherx.jabber.org/streams'>", "host-unknown"),
        ("<stream:stream to='example.org' xmlns='jabber:client' "
         "xmlns:stream='http://etherx.jabber.org/streams'>", "unsupported-version"),
        ("<stream:stream to='example.org' version='1.0' xmlns='jabber:client' xmlns:stream='wrong'>",
         "invalid-namespace"),
        ("<stream:stream to='example.org' version='1.0' xmlns='jabber:server' "
         "xmlns:stream='http://etherx.jabber.org/streams'>", "invalid-namespace"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>" + HEADER, "unsupported-encoding"),
        ("\ufeff<!DOCTYPE x>" + HEADER, "restricted-xml"),
        ("<!-- hello -->" + HEADER, "restricted-xml"),
        (HEADER + "<?php?>", "restricted-xml"),
        (HEADER + "<a>&bomb;</a>", "restricted-xml"),
        (HEADER + "<a></b>", "not-well-formed"),
        (HEADER + "<message/>", "not-authorized"),
        (HEADER + "<a" + " " * 20_000, "policy-violation"),
        (HEADER + "<a>" * 100, "policy-violation"),
        ("GET / HTTP/1.1\r\n\r\n", "not-well-formed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "not-well-formed"),
        (HEADER.encode() + b"<a>\xff</a>", "not-well-formed"),
    ],
)  # fmt: skip
async def test_what_ends_a_stream(data: str | bytes, condition: str) -> None:
    async with an_edge() as edge:
        wire = edge.open()
        answer = await edge.say(wire, data)
        assert answer.startswith("<?xml")
        assert f'<{condition} xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>' in answer
        assert answer.endswith("</stream:stream>")
        assert wire.is_closed


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        ("<message from='bob@example.org' to='bob@example.org'/>", "invalid-from"),
        ("<iq from='alice@example.org/other' type='get' id='1'/>", "invalid-from"),
        ("<message from='@'/>", "invalid-from"),
        ("<unknown/>", "unsupported-stanza-type"),
        ("<unknown xmlns='urn:example'/>", "unsupported-stanza-type"),
        ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>", "unsupported-stanza-type"),
        ("<a xmlns='urn:xmpp:sm:3' h='1'/>", ""),
        ("<message><body>" + "x" * 300_000, "policy-violation"),
    ],
)
async def test_what_ends_an_established_stream(stanza: str, condition: str) -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        answer = await edge.say(wire, stanza)
        if condition:
            assert f"<{condition} " in answer
            assert wire.is_closed
            assert list(edge.host.router) == []
        else:
            assert answer == ""


async def test_a_client_that_closes_is_answered_and_gone() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        assert await edge.say(wire, "</stream:stream>") == "</stream:stream>"
        assert wire.is_closed
        assert list(edge.host.router) == []


async def test_the_same_resource_replaces_the_older_stream() -> None:
    async with an_edge() as edge:
        old, new = edge.open(), edge.open()
        await edge.sign_in(old, resource="phone")
        await edge.sign_in(new, resource="phone")
        assert "<conflict " in await edge.settle(old)
        assert old.is_closed
        assert not new.is_closed
        assert len(list(edge.host.router)) == 1
        assert 'type="result"' in await edge.say(new, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")


async def test_too_many_resources_are_refused() -> None:
    async with an_edge(limits={"max_resources_per_account": 2}) as edge:
        for number in range(2):
            await edge.sign_in(edge.open(), resource=f"r{number}")
        assert "<resource-constraint" in await edge.sign_in(edge.open(), resource="r2")


async def test_too_many_connections_are_refused_by_address_and_in_all() -> None:
    async with an_edge(limits={"max_connections": 3, "max_connections_per_address": 2}) as edge:
        first = edge.open(peer="192.0.2.1")
        edge.open(peer="192.0.2.1")
        assert edge.open(peer="192.0.2.1").is_closed
        assert not edge.open(peer="192.0.2.2").is_closed
        assert edge.open(peer="192.0.2.3").is_closed
        first.abort()
        await edge.settle(first)
        assert not edge.open(peer="192.0.2.3").is_closed


async def test_who_binds_nothing_in_time_is_cut() -> None:
    async with an_edge(limits={"handshake_timeout_s": 10}) as edge:
        wire = edge.open()
        await edge.say(wire, "<stream:stream")
        edge.tick(10)
        assert not wire.is_closed
        edge.tick(1)
        assert "<connection-timeout " in await edge.settle(wire)
        assert wire.is_closed


async def test_who_is_silent_is_asked_and_then_cut() -> None:
    async with an_edge(limits={"idle_before_ping_s": 60, "ping_timeout_s": 10}) as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        edge.tick(61)
        assert "urn:xmpp:ping" in await edge.settle(wire)
        await edge.say(wire, " ")
        edge.tick(11)
        assert not wire.is_closed
        edge.tick(61)
        edge.tick(11)
        assert wire.is_closed


async def test_who_sends_too_fast_is_read_more_slowly() -> None:
    async with an_edge(limits={"bytes_per_s": 1024, "burst_bytes": 16384}) as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        await edge.say(wire, " " * 20_000)
        assert not wire.is_reading
        edge.clock.advance(10)
        await edge.settle(wire)
        assert wire.is_reading


async def test_a_websocket_speaks_in_frames() -> None:
    async with an_edge() as edge:
        wire = edge.open("websocket")
        framing = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'"
        await edge.say(wire, f"<open {framing} to='example.org' version='1.0'/>")
        edge.open("websocket")
        second = edge.open("websocket")
        second.receiver.received(f"<open {framing} to='example.org' version='1.0'/>".encode())  # type: ignore[union-attr]
        frames = [item.decode() for item in second.out]
        assert frames[0].startswith("<open ")
        assert frames[1].startswith('<stream:features xmlns:stream="http://etherx.jabber.org/streams">')
        assert "PLAIN" not in frames[1]
        second.take()
        answer = await edge.say(second, f"<close {framing}/>")
        assert answer == '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>'
        assert second.is_closed
