"""XEP-0050: sessions, steps, actions and every error; with a command of the test's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parley.edges.xmpp.commands.command import Caller, Command, Outcome, Stage
from parley.edges.xmpp.commands.running import LIFETIME_S, MOST_OF_ONE
from parley.edges.xmpp.extensions import xep_0050_commands
from parley.protocols.xmpp.commands import Note
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

from ..harness import Client, Harness, parse

NS = "http://jabber.org/protocol/commands"
FORM = "<x xmlns='jabber:x:data' type='submit'><field var='name'><value>{0}</value></field></x>"


async def _first(_caller: Caller) -> Stage:
    return Stage(Form("form", (Field("name"),)), _second, is_last=False)


async def _second(_caller: Caller, form: Form) -> Stage:
    if form.value("name") == "bad":
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE)
    return Stage(Form("form", (Field("sure"),)), _done)


async def _done(caller: Caller, _form: Form) -> Outcome:
    return Outcome(Form("result", (Field("by", (caller.address,)),)), (Note("Done."),))


async def _at_once(_caller: Caller) -> Outcome:
    return Outcome(notes=(Note("Hello."),))


COMMANDS = (
    Command("urn:test:steps", "Steps", _first, lambda _host, _asker: True),
    Command("urn:test:once", "Once", _at_once, lambda _host, _asker: True),
    Command("urn:test:alice", "For Alice", _at_once, lambda _host, asker: asker.local == "alice"),
)


class Commanding(Harness):
    """An edge with the commands of this test."""

    def __init__(self) -> None:
        super().__init__()
        extension = replace(xep_0050_commands.EXTENSION, commands=COMMANDS)
        others = [each for each in self.host.extensions if each.spec != extension.spec and not each.commands]
        self.host.extensions = (*others, extension)


def command(node: str = "urn:test:steps", content: str = "", to: str = "example.org", **attrs: str) -> str:
    written = "".join(f" {key}='{value}'" for key, value in attrs.items())
    return f"<iq type='set' id='1' to='{to}'><command xmlns='{NS}' node='{node}'{written}>{content}</command></iq>"


async def run(client: Client, stanza: str) -> Any:
    """The answer: the command, or the error."""
    client.take()
    await client.send(stanza)
    (answer,) = client.take()
    return parse(answer)[-1]


async def refused(client: Client, stanza: str) -> list[str]:
    """Type, code and conditions of an error."""
    error = await run(client, stanza)
    assert error.tag.endswith("}error"), error.tag
    names = [child.tag.rpartition("}")[2] for child in error]
    return [error.get("type"), error.get("code"), *(name for name in names if name != "text")]


def actions(answer: Any) -> tuple[str, list[str]]:
    found = answer.find(f"{{{NS}}}actions")
    return found.get("execute"), [child.tag.rpartition("}")[2] for child in found]


async def test_a_command_without_steps() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        answer = await run(alice, command("urn:test:once"))
        assert answer.get("status") == "completed"
        assert answer.get("sessionid")
        assert answer.findtext(f"{{{NS}}}note") == "Hello."


async def test_step_by_step_forth_and_back() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        first = await run(alice, command(action="execute"))
        session = first.get("sessionid")
        assert first.get("status") == "executing"
        assert actions(first) == ("next", ["next"])
        second = await run(alice, command(content=FORM.format("a"), action="next", sessionid=session))
        assert second.get("sessionid") == session
        assert actions(second) == ("complete", ["prev", "complete"])
        again = await run(alice, command(action="prev", sessionid=session))
        assert actions(again) == ("next", ["next"])
        # Execute means the default of the step.
        await run(alice, command(content=FORM.format("a"), sessionid=session))
        done = await run(alice, command(content=FORM.format("a"), action="complete", sessionid=session))
        assert done.get("status") == "completed"
        assert done.find(".//{jabber:x:data}value").text == "alice@example.org"
        over = await refused(alice, command(content=FORM.format("a"), sessionid=session))
        assert over == ["cancel", "405", "not-allowed", "session-expired"]


async def test_a_refused_form_may_be_sent_anew() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        session = (await run(alice, command())).get("sessionid")
        bad = await refused(alice, command(content=FORM.format("bad"), sessionid=session))
        assert bad == ["modify", "406", "not-acceptable"]
        second = await run(alice, command(content=FORM.format("good"), sessionid=session))
        assert actions(second) == ("complete", ["prev", "complete"])


async def test_cancelled() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        session = (await run(alice, command())).get("sessionid")
        cancelled = await run(alice, command(action="cancel", sessionid=session))
        assert (cancelled.get("status"), cancelled.get("sessionid"), len(cancelled)) == ("canceled", session, 0)
        assert "session-expired" in await refused(alice, command(action="cancel", sessionid=session))
        # To others it never was one.
        desk = await host.connect("alice/desk")
        assert "bad-sessionid" in await refused(desk, command(action="cancel", sessionid=session))


@pytest.mark.parametrize(
    ("attrs", "content", "conditions"),
    [
        ({"action": "prev"}, "", "bad-action"),
        ({"action": "complete"}, FORM, "bad-action"),
        ({"action": "next"}, "", "bad-payload"),
        ({"action": "next"}, "<x xmlns='urn:x'/>", "bad-payload"),
        ({"action": "jump"}, FORM, "malformed-action"),
        ({"xml:lang": "!"}, FORM, "bad-locale"),
        ({"sessionid": "another"}, FORM, "bad-sessionid"),
        ({"node": "urn:test:once"}, FORM, "bad-sessionid"),
    ],
)
async def test_what_does_not_fit_the_step(attrs: dict[str, str], content: str, conditions: str) -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        session = (await run(alice, command())).get("sessionid")
        stanza = command(content=content.format("a"), **({"sessionid": session} | attrs))
        assert await refused(alice, stanza) == ["modify", "400", "bad-request", conditions]


async def test_a_command_begins_with_execute() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        assert "bad-action" in await refused(alice, command(action="next", content=FORM.format("a")))


async def test_a_session_belongs_to_one_client() -> None:
    async with Commanding() as host:
        await host.add("alice", "bob")
        alice, desk, bob = [await host.connect(name) for name in ("alice/phone", "alice/desk", "bob/phone")]
        session = (await run(alice, command())).get("sessionid")
        for other in (desk, bob):
            assert "bad-sessionid" in await refused(other, command(content=FORM.format("a"), sessionid=session))


async def test_a_session_lives_for_a_while() -> None:
    async with Commanding() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        session = (await run(alice, command())).get("sessionid")
        host.clock.advance(LIFETIME_S - 1)
        await run(alice, command(content=FORM.format("a"), sessionid=session))
        host.clock.advance(LIFETIME_S - 1)
        await run(alice, command(action="prev", sessionid=session))
        host.clock.advance(LIFETIME_S)
        late = await refused(alice, command(content=FORM.format("a"), sessionid=session))
        assert late == ["cancel", "405", "not-allowed", "session-expired"]


async def test_one_client_has_so_many_sessions() -> None:
    async with Commanding() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        bobs = (await run(bob, command())).get("sessionid")
        sessions = [(await run(alice, command())).get("sessionid") for _ in range(MOST_OF_ONE + 1)]
        assert "session-expired" in await refused(alice, command(content=FORM.format("a"), sessionid=sessions[0]))
        await run(alice, command(content=FORM.format("a"), sessionid=sessions[1]))
        assert (await run(bob, command(content=FORM.format("a"), sessionid=bobs))).get("status") == "executing"


async def test_unknown_and_forbidden() -> None:
    async with Commanding() as host:
        await host.add("alice", "bob")
        bob = await host.connect("bob/phone")
        assert await refused(bob, command("urn:test:none")) == ["cancel", "404", "item-not-found"]
        assert await refused(bob, command("urn:test:alice")) == ["auth", "403", "forbidden"]
        assert await refused(bob, command(to="bob@example.org")) == ["cancel", "503", "service-unavailable"]


async def disco(client: Client, what: str, node: str = "") -> Any:
    attribute = f" node='{node}'" if node else ""
    query = f"<query xmlns='http://jabber.org/protocol/disco#{what}'{attribute}/>"
    return await run(client, f"<iq type='get' id='1' to='example.org'>{query}</iq>")


async def test_commands_are_discovered() -> None:
    async with Commanding() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        assert NS in {each.get("var") for each in await disco(bob, "info")}
        listed = await disco(bob, "items", NS)
        assert listed.get("node") == NS
        assert [(each.get("node"), each.get("name"), each.get("jid")) for each in listed] == [
            ("urn:test:steps", "Steps", "example.org"),
            ("urn:test:once", "Once", "example.org"),
        ]
        assert len(await disco(alice, "items", NS)) == 3
        info = await disco(bob, "info", NS)
        assert (info[0].get("category"), info[0].get("type")) == ("automation", "command-list")
        info = await disco(bob, "info", "urn:test:steps")
        assert (info[0].get("category"), info[0].get("type"), info[0].get("name")) == (
            "automation",
            "command-node",
            "Steps",
        )
        assert [each.get("var") for each in info[1:]] == [NS, "jabber:x:data"]
        assert len(await disco(bob, "items", "urn:test:steps")) == 0
        assert (await disco(bob, "info", "urn:test:alice")).get("type") == "auth"
