"""XEP-0060 §6.1.4, §8.6 and §8.7: subscriptions that an owner has to approve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ...harness import Client, Harness, address, parse
from .service import (
    NS,
    SERVICE,
    a_service,
    affiliate,
    ask,
    create,
    error,
    event,
    get_items,
    item,
    items_event,
    publish,
    refused,
    result,
    subscribe,
    subscribed,
    subscription,
)

AUTHORIZATION = f"{NS}#subscribe_authorization"
COMMANDS = "http://jabber.org/protocol/commands"


def answer(message_id: str, allow: str | None, who: str = "bob", node: str = "n", kind: str = "submit") -> str:
    fields = {"FORM_TYPE": AUTHORIZATION, "pubsub#node": node, "pubsub#subscriber_jid": address(who)}
    if allow is not None:
        fields["pubsub#allow"] = allow
    inside = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    return f"<message to='{SERVICE}' id='{message_id}'><x xmlns='jabber:x:data' type='{kind}'>{inside}</x></message>"


@asynccontextmanager
async def a_request() -> AsyncIterator[tuple[Harness, Client, Client, str]]:
    """Bob has asked to subscribe to alice's node; the id of the message by which she was asked."""
    async with a_service() as (host, owner, reader):
        await owner.send(create("n", access_model="authorize"), publish("n"))
        owner.take()
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk", "pending"))
        (asked,) = (stanza for stanza in owner.take() if stanza.startswith("<message"))
        yield host, owner, reader, parse(asked).get("id")


async def test_8_6_the_owner_is_asked() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model="authorize"))
        owner.take()
        await reader.send(subscribe("n", "bob"))
        (asked,) = owner.take()
        message = parse(asked)
        assert (message.get("from"), message.get("to"), message.get("type")) == (SERVICE, "alice@example.org", None)
        assert message.get("id")
        fields = {f.get("var"): f for f in message.iter("{jabber:x:data}field")}
        values = {var: field[0].text for var, field in fields.items()}
        assert values == {
            "FORM_TYPE": AUTHORIZATION,
            "pubsub#node": "n",
            "pubsub#subscriber_jid": "bob@example.org",
            "pubsub#allow": "false",
        }
        assert fields["pubsub#allow"].get("type") == "boolean"


async def test_8_6_the_request_waits_for_an_owner_who_is_away() -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model="authorize"), "<presence type='unavailable'/>")
        owner.take()
        await reader.send(subscribe("n", "bob"))
        owner.expect()
        await owner.send("<presence/>")
        assert AUTHORIZATION in "".join(owner.take())


@pytest.mark.parametrize("allow", ["1", "true"])
async def test_8_6_approved(allow: str) -> None:
    async with a_request() as (_, owner, reader, message_id):
        await owner.send(answer(message_id, allow))
        owner.expect()
        told, last = reader.take()
        reader.connection.sent.append(told.encode())
        reader.expect(event(subscription("n", "bob")))
        assert "Soliloquy" in last
        await owner.send(publish("n", "2"))
        reader.expect(items_event("n", item("2")))
        await reader.ask(get_items("n"), result(f"<items node='n'>{item()}{item('2')}</items>", "bob/desk"))
        # The first answer counts.
        await owner.send(answer(message_id, "0"))
        assert 'type="error"' in owner.take()[-1]


async def test_12_13_who_is_away_finds_the_answer() -> None:
    async with a_request() as (_, owner, reader, message_id):
        await reader.send("<presence type='unavailable'/>")
        reader.take()
        await owner.send(answer(message_id, "1"))
        reader.expect()
        await reader.send("<presence/>")
        waited = [stanza for stanza in reader.take() if "<subscription " in stanza]
        assert len(waited) == 1
        assert 'subscription="subscribed"' in waited[0]


@pytest.mark.parametrize("allow", ["0", "false"])
async def test_8_6_denied(allow: str) -> None:
    async with a_request() as (_, owner, reader, message_id):
        await owner.send(answer(message_id, allow))
        reader.expect(event(subscription("n", "bob", "none")))
        await reader.ask(ask("get", "<subscriptions/>"), result("<subscriptions/>", "bob/desk"))
        await owner.send(publish("n", "2"))
        reader.expect()


async def test_8_6_cancelled_it_goes_on_waiting() -> None:
    async with a_request() as (_, owner, reader, message_id):
        await owner.send(answer(message_id, None, kind="cancel"))
        reader.expect()
        pending = result(f"<subscriptions>{subscription('n', 'bob', 'pending')}</subscriptions>", "bob/desk")
        await reader.ask(ask("get", "<subscriptions/>"), pending)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        (answer("1", None), "bad-request"),
        (answer("1", "maybe"), "bad-request"),
        (answer("1", "1", who="carol"), "item-not-found"),
        (answer("1", "1", node="m"), "item-not-found"),
        (f"<message to='{SERVICE}' id='1'><body>Hello?</body></message>", "service-unavailable"),
    ],
)
async def test_8_6_answers_that_say_nothing(stanza: str, condition: str) -> None:
    async with a_request() as (_, owner, reader, _message_id):
        await owner.send(stanza)
        assert f"<{condition} " in owner.take()[-1]
        reader.expect()


async def test_8_6_only_an_owner_approves() -> None:
    async with a_request() as (_, _owner, reader, message_id):
        await reader.send(answer(message_id, "1"))
        assert "<forbidden " in reader.take()[-1]
        await refused(reader, get_items("n"), error("not-authorized", "auth", "not-subscribed", "bob/desk"))


@pytest.mark.parametrize(
    ("word", "state"),
    [("publisher", "subscribed"), ("owner", "subscribed"), ("member", "subscribed"), ("outcast", "none")],
)
async def test_8_7_4_another_affiliation_settles_it(word: str, state: str) -> None:
    async with a_request() as (_, owner, reader, _message_id):
        await owner.send(affiliate("n", bob=word))
        told = reader.take()[0]
        reader.connection.sent.append(told.encode())
        reader.expect(event(subscription("n", "bob", state)))


@pytest.mark.parametrize("word", ["member", "publisher", "owner"])
async def test_6_1_4_who_is_on_a_list_need_not_ask(word: str) -> None:
    async with a_service() as (_, owner, reader):
        await owner.send(create("n", access_model="authorize"), affiliate("n", bob=word))
        await reader.ask(subscribe("n", "bob"), subscribed("n", "bob", "bob/desk"))


def command(inside: str = "", action: str = "execute", node: str = f"{NS}#get-pending") -> str:
    return (
        f"<iq type='set' id='1' to='{SERVICE}'><command xmlns='{COMMANDS}' node='{node}' action='{action}'>"
        f"{inside}</command></iq>"
    )


def chosen(node: str) -> str:
    return f"<x xmlns='jabber:x:data' type='submit'><field var='pubsub#node'><value>{node}</value></field></x>"


async def test_8_7_pending_subscriptions_are_sent_again() -> None:
    async with a_request() as (_, owner, _reader, message_id):
        await owner.send(create("quiet", access_model="authorize"))
        owner.take()
        await owner.send(command())
        (step,) = parse(owner.take()[0])
        assert (step.get("status"), step.get("node")) == ("executing", f"{NS}#get-pending")
        assert step.get("sessionid")
        fields = {f.get("var"): f for f in step.iter("{jabber:x:data}field")}
        assert [option[0].text for option in fields["pubsub#node"].iter("{jabber:x:data}option")] == ["n"]
        await owner.send(command(chosen("n")))
        done, asked = owner.take()
        assert parse(done)[0].get("status") == "completed"
        assert "bob@example.org" in asked
        assert parse(asked).get("id") != message_id


async def test_8_7_3_errors() -> None:
    async with a_request() as (_, owner, reader, _message_id):
        await refused(reader, command(chosen("n")), error("forbidden", "auth", to="bob/desk"))
        await refused(owner, command(chosen("m")), error("item-not-found", "cancel"))
        await refused(owner, command(node="other"), error("item-not-found", "cancel"))
        await owner.send(command(action="cancel"))
        assert parse(owner.take()[0])[0].get("status") == "canceled"
        await refused(reader, command(), error("forbidden", "auth", to="bob/desk"))
