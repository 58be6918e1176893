"""XEP-0401: invitations by commands."""

from __future__ import annotations

from typing import Any

import pytest

from parley.base.config import XmppSettings
from parley.base.config.admission import InvitationSettings
from parley.domain.invitations import digest_of

from ..harness import Client, Harness
from .test_commands import disco, refused, run

NS = "http://jabber.org/protocol/commands"
INVITE = "<iq type='set' id='1' to='example.org'><command xmlns='{0}' node='urn:xmpp:invite#{1}'/></iq>"


def inviting(registration: str = "invite", inviters: str = "everybody") -> Harness:
    return Harness(
        admins=("alice@example.org",),
        xmpp=XmppSettings(registration=registration),  # type: ignore[arg-type]
        invitations=InvitationSettings(inviters=inviters, max_per_account=2),  # type: ignore[arg-type]
    )


def fields(answer: Any) -> dict[str, str]:
    assert answer.get("status") == "completed"
    return {each.get("var"): each[0].text for each in answer.iter("{jabber:x:data}field")}


async def create(client: Client, **values: str) -> Any:
    opened = await run(client, INVITE.format(NS, "create-account"))
    filled = {key.replace("_", "-"): value for key, value in values.items()}
    form = "".join(f"<field var='{key}'><value>{value}</value></field>" for key, value in filled.items())
    last = INVITE.format(NS, "create-account").replace(
        "/></iq>",
        f" sessionid='{opened.get('sessionid')}'><x xmlns='jabber:x:data' type='submit'>{form}</x></command></iq>",
    )
    return await run(client, last)


async def test_a_contact_is_invited_at_once() -> None:
    async with inviting() as host:
        bob_account = await host.add("bob")
        bob = await host.connect("bob/phone")
        told = fields(await run(bob, INVITE.format(NS, "invite")))
        assert told["FORM_TYPE"] == "urn:xmpp:invite#invitation"
        token = told["uri"].removeprefix("xmpp:bob@example.org?roster;preauth=").removesuffix(";ibr=y")
        kept = await host.storage.invitations.find(digest_of(token))
        assert kept is not None
        assert (kept.inviter_id, kept.is_account, kept.uses_left) == (bob_account.id, True, 1)
        assert told["expire"].endswith("Z")


async def test_where_nobody_registers_it_opens_no_account() -> None:
    async with inviting("closed") as host:
        await host.add("alice", "bob")
        bob = await host.connect("bob/phone")
        assert "ibr=y" not in fields(await run(bob, INVITE.format(NS, "invite")))["uri"]
        alice = await host.connect("alice/phone")
        assert await refused(alice, INVITE.format(NS, "create-account")) == ["auth", "403", "forbidden"]


async def test_who_may_invite() -> None:
    async with inviting(inviters="admins") as host:
        await host.add("alice", "bob")
        alice, bob = await host.connect("alice/phone"), await host.connect("bob/phone")
        assert await refused(bob, INVITE.format(NS, "invite")) == ["auth", "403", "forbidden"]
        fields(await run(alice, INVITE.format(NS, "invite")))
        nodes = {each.get("node") for each in await disco(alice, "items", NS)}
        assert {"urn:xmpp:invite#invite", "urn:xmpp:invite#create-account"} <= nodes
        assert len(await disco(bob, "items", NS)) == 0


async def test_how_many_one_may_give() -> None:
    async with inviting() as host:
        await host.add("bob")
        bob = await host.connect("bob/phone")
        for _ in range(2):
            fields(await run(bob, INVITE.format(NS, "invite")))
        assert await refused(bob, INVITE.format(NS, "invite")) == ["wait", "500", "resource-constraint"]


async def test_an_account_is_made_ready() -> None:
    async with inviting() as host:
        account = await host.add("alice")
        alice = await host.connect("alice/phone")
        told = fields(await create(alice, username="Juliet", roster_subscription="true"))
        prefix = "xmpp:juliet@example.org?register;preauth="
        assert told["uri"].startswith(prefix)
        kept = await host.storage.invitations.find(digest_of(told["uri"].removeprefix(prefix)))
        assert kept is not None
        assert (kept.address, kept.inviter_id) == ("juliet@example.org", account.id)
        assert (await create(alice, username="juliet"))[0].tag.endswith("}conflict")
        assert (await create(alice, username="alice"))[0].tag.endswith("}conflict")
        assert fields(await create(alice))["uri"].startswith("xmpp:example.org?register;preauth=")


@pytest.mark.parametrize("values", [{"username": "a b"}, {"username": "a@b"}, {"roster_subscription": "maybe"}])
async def test_a_form_that_cannot_be_used(values: dict[str, str]) -> None:
    async with inviting() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        assert (await create(alice, **values))[0].tag.endswith("}bad-request")
