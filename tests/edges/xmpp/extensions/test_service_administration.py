"""XEP-0133: administrators do what the command line does, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from parley.base.config import LoginSettings
from parley.edges.xmpp.extensions.xep_0133_service_administration import EXTENSION
from parley.identity.sign_in import fits
from parley.protocols.xmpp.errors import StreamCondition

from ..harness import Client, Harness, address
from .test_commands import disco, refused, run

ADMIN = "http://jabber.org/protocol/admin"
NS = "http://jabber.org/protocol/commands"


def administered() -> Harness:
    return Harness(admins=("alice@example.org",), login=LoginSettings(scram_iterations=4096))


def field(var: str, *values: str) -> str:
    return f"<field var='{var}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


async def submit(client: Client, node: str, *fields: str) -> Any:
    """Execute a command, fill its form in, and return what comes out (or the error)."""
    opened = f"<iq type='set' id='1' to='example.org'><command xmlns='{NS}' node='{ADMIN}#{node}'/></iq>"
    answer = await run(client, opened)
    if not fields or answer.tag.endswith("}error"):
        return answer
    assert answer.get("status") == "executing"
    session = answer.get("sessionid")
    form = f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', ADMIN)}{''.join(fields)}</x>"
    return await run(
        client,
        f"<iq type='set' id='2' to='example.org'><command xmlns='{NS}' node='{ADMIN}#{node}' sessionid='{session}'"
        f" action='complete'>{form}</command></iq>",
    )


async def done(client: Client, node: str, *fields: str) -> dict[str, list[str]]:
    """The result's fields."""
    answer = await submit(client, node, *fields)
    assert answer.get("status") == "completed", answer.get("type")
    found = answer.iter("{jabber:x:data}field")
    return {each.get("var"): [value.text for value in each] for each in found}


def condition(answer: Any) -> str:
    assert answer.tag.endswith("}error"), answer.tag
    return str(answer[0].tag.rpartition("}")[2])


async def knows(host: Harness, name: str, password: str) -> bool:
    credentials = await host.storage.accounts.credentials(address(name))
    return bool(credentials) and all(fits(password, each) for each in credentials)


async def test_only_administrators() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        for command in EXTENSION.commands:
            stanza = f"<iq type='set' id='1' to='example.org'><command xmlns='{NS}' node='{command.node}'/></iq>"
            assert await refused(bob, stanza) == ["auth", "403", "forbidden"]
        assert len(await disco(bob, "items", NS)) == 0
        shown = {each.get("node") for each in await disco(alice, "items", NS)}
        assert {command.node for command in EXTENSION.commands} <= shown


async def test_who_is_no_administrator_any_more_goes_no_further() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/phone")
        opened = f"<iq type='set' id='1' to='example.org'><command xmlns='{NS}' node='{ADMIN}#delete-user'/></iq>"
        session = (await run(alice, opened)).get("sessionid")
        host.host.settings = host.settings.model_copy(update={"admins": ()})
        form = f"<x xmlns='jabber:x:data' type='submit'>{field('accountjids', 'bob@example.org')}</x>"
        last = opened.replace("/></iq>", f" sessionid='{session}'>{form}</command></iq>")
        assert await refused(alice, last) == ["auth", "403", "forbidden"]
        assert await host.storage.accounts.find("bob@example.org") is not None


async def test_add_and_delete() -> None:
    async with administered() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        carol = field("accountjid", "Carol@example.org")
        await done(alice, "add-user", carol, field("password", "secret"), field("password-verify", "secret"))
        assert await knows(host, "carol", "secret")
        taken = await submit(alice, "add-user", carol, field("password", "secret"))
        assert (condition(taken), taken.get("code")) == ("conflict", "409")
        differ = await submit(alice, "add-user", carol, field("password", "a"), field("password-verify", "b"))
        assert condition(differ) == "bad-request"
        foreign = await submit(alice, "add-user", field("accountjid", "c@other.example"), field("password", "a"))
        assert condition(foreign) == "not-acceptable"
        await done(alice, "delete-user", field("accountjids", "carol@example.org"))
        assert await host.storage.accounts.find("carol@example.org") is None


async def test_all_are_looked_up_before_one_is_changed() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/phone")
        both = field("accountjids", "bob@example.org", "nobody@example.org")
        assert condition(await submit(alice, "delete-user", both)) == "item-not-found"
        assert await host.storage.accounts.find("bob@example.org") is not None


@pytest.mark.parametrize("node", ["delete-user", "disable-user"])
async def test_nobody_shuts_themselves_out(node: str) -> None:
    async with administered() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        assert condition(await submit(alice, node, field("accountjids", "alice@example.org"))) == "not-allowed"


async def test_disable_and_re_enable() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        assert await done(alice, "get-online-users-num") == {
            "FORM_TYPE": [ADMIN],
            "onlineusersnum": ["2"],
        }
        await done(alice, "disable-user", field("accountjids", "bob@example.org"))
        assert bob.connection.failure is not None
        assert (await done(alice, "get-disabled-users-num"))["disabledusersnum"] == ["1"]
        assert (await done(alice, "get-disabled-users-list", field("max_items", "25")))["disableduserjids"] == [
            "bob@example.org"
        ]
        await done(alice, "reenable-user", field("accountjids", "bob@example.org"))
        found = await host.storage.accounts.find("bob@example.org")
        assert found is not None
        assert not found.is_suspended


async def test_sessions_end_one_or_all() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/phone")
        phone, desk, pad = [await host.connect(name) for name in ("bob/phone", "bob/desk", "bob/pad")]
        await done(alice, "end-user-session", field("accountjids", "bob@example.org/desk"))
        assert desk.connection.failure is not None
        assert desk.connection.failure[0] is StreamCondition.NOT_AUTHORIZED
        assert phone.connection.failure is None
        await done(alice, "end-user-session", field("accountjids", "bob@example.org"))
        assert pad.connection.failure is not None
        assert phone.connection.failure is not None


async def test_a_new_password_ends_the_others_sessions() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        await done(alice, "change-user-password", field("accountjid", "bob@example.org"), field("password", "new"))
        assert await knows(host, "bob", "new")
        assert bob.connection.failure is not None
        assert alice.connection.failure is None


async def test_what_is_told_of_a_user() -> None:
    async with administered() as host:
        await host.add("alice")
        bob = await host.add("bob")
        alice = await host.connect("alice/phone")
        never = await done(alice, "get-user-lastlogin", field("accountjid", "bob@example.org"))
        assert never["lastlogin"] == ["never"]
        await host.storage.devices.seen(bob.id, "phone", "", "", 1_071_878_315_000_000)
        await host.connect("bob/phone")
        seen = await done(alice, "get-user-lastlogin", field("accountjid", "bob@example.org"))
        assert seen["lastlogin"] == ["2003-12-19T23:58:35Z"]
        await host.befriend("alice", "bob")
        told = await done(alice, "user-stats", field("accountjid", "bob@example.org"))
        assert told["rostersize"] == ["1"]
        assert told["onlineresources"] == ["phone"]


async def test_lists_are_as_long_as_wanted() -> None:
    async with administered() as host:
        await host.add("alice", *(f"user{number:02}" for number in range(30)))
        alice = await host.connect("alice/phone")
        assert (await done(alice, "get-registered-users-num"))["registeredusersnum"] == ["31"]
        some = await done(alice, "get-registered-users-list", field("max_items", "25"))
        assert len(some["registereduserjids"]) == 25
        everybody = await done(alice, "get-registered-users-list", field("max_items", "none"))
        assert len(everybody["registereduserjids"]) == 31
        assert condition(await submit(alice, "get-registered-users-list", field("max_items", "7"))) == "bad-request"


async def test_an_announcement_goes_to_who_is_there() -> None:
    async with administered() as host:
        await host.add("alice", "bob", "carol")
        alice = await host.connect("alice/phone")
        bob, carol = await host.connect("bob/phone", presence=""), await host.connect("carol/phone")
        bob.take()
        await done(alice, "announce", field("announcement", "Down at noon.", "Up at one."))
        bob.expect(
            "<message type='headline' from='example.org' to='bob@example.org/phone'>"
            "<body>Down at noon.\nUp at one.</body></message>"
        )
        assert carol.take() == []


async def test_another_form_is_refused() -> None:
    async with administered() as host:
        await host.add("alice", "bob")
        alice = await host.connect("alice/phone")
        wrong = field("accountjids", "bob@example.org")
        opened = f"<iq type='set' id='1' to='example.org'><command xmlns='{NS}' node='{ADMIN}#delete-user'/></iq>"
        session = (await run(alice, opened)).get("sessionid")
        form = f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', 'urn:other')}{wrong}</x>"
        last = opened.replace("/></iq>", f" sessionid='{session}'>{form}</command></iq>")
        assert "bad-payload" in await refused(alice, last)
        assert condition(await submit(alice, "delete-user", field("accountjids"))) == "bad-request"
        assert condition(await submit(alice, "delete-user", field("accountjids", "example.org"))) == "bad-request"
        assert condition(await submit(alice, "delete-user", field("accountjids", "@"))) == "bad-request"
