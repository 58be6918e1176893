"""XEP-0060 §8.9 and §5.7: members and outcasts of personal nodes."""

from __future__ import annotations

import pytest

from parley.app import requests
from parley.app.live import LiveServer
from parley.app.operations import Operations

from ..harness import DOMAIN, Client, Harness, address
from .test_pubsub import LIST, NOT_FOUND, NS, error, get_items, node_names, one, options, owner, publish, result

OWNER = f"{NS}#owner"


def affiliations(node: str, **words: str) -> str:
    inside = "".join(f"<affiliation jid='{address(name)}' affiliation='{word}'/>" for name, word in words.items())
    return f"<affiliations node='{node}'>{inside}</affiliations>"


async def two(host: Harness, model: str) -> tuple[Client, Client]:
    """Alice with a node of that access model, and Bob, who knows her."""
    phone = await one(host)
    await host.add("bob")
    await host.befriend("alice", "bob")
    await phone.send(publish("urn:n", LIST, options(access_model=model)))
    return phone, await host.connect("bob/desk")


async def test_a_member_reads_what_is_closed_to_others() -> None:
    async with Harness() as host:
        phone, bob = await two(host, "whitelist")
        closed = error("not-allowed", "cancel", "405", "closed-node", of="alice", to="bob/desk")
        await bob.ask(get_items("urn:n", "alice"), closed)
        await phone.ask(owner("set", affiliations("urn:n", bob="member")), result())
        shown = result(f"<items node='urn:n'>{LIST}</items>", of="alice", to="bob/desk")
        await bob.ask(get_items("urn:n", "alice"), shown)
        assert await node_names(bob) == ["urn:n"]
        await phone.ask(owner("set", affiliations("urn:n", bob="none")), result())
        await bob.ask(get_items("urn:n", "alice"), closed)


@pytest.mark.parametrize("model", ["open", "presence", "roster", "whitelist"])
async def test_an_outcast_reads_nothing(model: str) -> None:
    async with Harness() as host:
        phone, bob = await two(host, model)
        await phone.ask(owner("set", affiliations("urn:n", bob="outcast")), result())
        await bob.ask(get_items("urn:n", "alice"), error("forbidden", "auth", "403", of="alice", to="bob/desk"))
        assert await node_names(bob) == []


async def test_members_hear_and_outcasts_do_not() -> None:
    async with Harness() as host:
        phone, bob = await two(host, "whitelist")
        await bob.available()
        bob.session.notify_nodes = frozenset({"urn:n"})
        await phone.send(publish("urn:n", LIST))
        bob.expect()
        await phone.send(owner("set", affiliations("urn:n", bob="member")), publish("urn:n", LIST))
        (event,) = bob.take()
        assert 'node="urn:n"' in event
        await phone.send(owner("set", affiliations("urn:n", bob="outcast")), publish("urn:n", LIST))
        bob.expect()


class NoFiles:
    """Nobody uploaded anything."""

    async def drop_unreferenced(self) -> int:
        return 0


async def test_who_follows_a_removed_account_is_no_member() -> None:
    async with Harness() as host:
        phone, bob = await two(host, "whitelist")
        await phone.send(owner("set", affiliations("urn:n", bob="member")))
        await bob.send(get_items("urn:n", "alice"))
        assert 'type="result"' in bob.take()[-1]
        live = LiveServer(host.host, host.host.stores.directory, NoFiles())
        await Operations(host.storage, host.clock, [DOMAIN], live).answer(requests.RemoveUser(address("bob")))
        await host.add("bob")
        bob = await host.connect("bob/desk")
        await bob.send(get_items("urn:n", "alice"))
        assert 'type="error"' in bob.take()[-1]


async def test_who_has_which() -> None:
    async with Harness() as host:
        phone, bob = await two(host, "presence")
        await phone.send(publish("urn:o", LIST))
        await phone.ask(owner("get", affiliations("urn:n")), result(affiliations("urn:n", alice="owner"), ns=OWNER))
        # §8.9.2: only what changes is sent; an entry without the attribute changes nothing.
        await phone.ask(owner("set", affiliations("urn:n", bob="member", alice="owner")), result())
        silent = "<affiliation jid='bob@example.org'/><affiliation jid='carol@example.org/x' affiliation='outcast'/>"
        await phone.ask(owner("set", f"<affiliations node='urn:n'>{silent}</affiliations>"), result())
        known = affiliations("urn:n", alice="owner", bob="member", carol="outcast")
        await phone.ask(owner("get", affiliations("urn:n")), result(known, ns=OWNER))
        # It stays when the node is configured anew.
        configure = "<configure node='urn:n'><x xmlns='jabber:x:data' type='submit'/></configure>"
        await phone.ask(owner("set", configure), result())
        await phone.ask(owner("get", affiliations("urn:n")), result(known, ns=OWNER))

        def own(node: str = "") -> str:
            attr = f" node='{node}'" if node else ""
            inside = f"<pubsub xmlns='{NS}'><affiliations{attr}/></pubsub>"
            return f"<iq type='get' id='1' to='alice@example.org'>{inside}</iq>"

        def mine(**words: str) -> str:
            inside = "".join(f"<affiliation node='urn:{node}' affiliation='{word}'/>" for node, word in words.items())
            return f"<affiliations>{inside}</affiliations>"

        await bob.ask(own(), result(mine(n="member"), of="alice", to="bob/desk"))
        await bob.ask(own("urn:o"), result("<affiliations/>", of="alice", to="bob/desk"))
        await bob.ask(own("urn:x"), error(*NOT_FOUND, of="alice", to="bob/desk"))
        await phone.ask(own(), result(mine(n="owner", o="owner"), of="alice"))


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (affiliations("urn:x", bob="member"), error(*NOT_FOUND)),
        ("<affiliations/>", error("bad-request", "modify", "400", "nodeid-required")),
        (affiliations("urn:n"), error("bad-request", "modify", "400", text=True)),
        (
            "<affiliations node='urn:n'><affiliation jid='b@x' affiliation='none'/>"
            "<affiliation jid='B@x/y' affiliation='member'/></affiliations>",
            error("bad-request", "modify", "400", text=True),
        ),
        (
            "<affiliations node='urn:n'><affiliation jid='@' affiliation='none'/></affiliations>",
            error("bad-request", "modify", "400", "invalid-jid"),
        ),
    ],
)
async def test_what_cannot_be_asked_for(content: str, answer: str) -> None:
    async with Harness() as host:
        phone, _ = await two(host, "whitelist")
        await phone.ask(owner("set", content), answer)


@pytest.mark.parametrize(("who", "word"), [("alice", "none"), ("carol", "owner"), ("carol", "friend")])
async def test_8_9_2_4_what_is_refused_is_returned_as_it_was_and_the_rest_is_done(who: str, word: str) -> None:
    async with Harness() as host:
        phone, _ = await two(host, "whitelist")
        await phone.send(owner("set", affiliations("urn:n", bob="member")))
        kept = affiliations("urn:n", **{who: "owner" if who == "alice" else "none"})
        refused = error("not-acceptable", "modify", "406", text=True)
        await phone.ask(
            owner("set", affiliations("urn:n", **{"bob": "none", who: word})),
            refused.replace("<error ", f"<pubsub xmlns='{OWNER}'>{kept}</pubsub><error ", 1),
        )
        known = affiliations("urn:n", alice="owner")
        await phone.ask(owner("get", affiliations("urn:n")), result(known, ns=OWNER))


async def test_there_are_at_most_so_many() -> None:
    async with Harness() as host:
        phone, _ = await two(host, "whitelist")
        await phone.ask(
            owner("set", affiliations("urn:n", **{f"m{number}": "member" for number in range(1000)})), result()
        )
        await phone.ask(
            owner("set", affiliations("urn:n", bob="member")),
            error("resource-constraint", "wait", "500", text=True),
        )
        await phone.ask(owner("set", affiliations("urn:n", bob="member", m1="none")), result())
