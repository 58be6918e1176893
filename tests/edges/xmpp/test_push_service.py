"""XEP-0357 from the app server's end: devices are registered, and woken by whichever server has the secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.app import requests
from parley.app.live import LiveServer
from parley.app.operations import Operations
from parley.base.config.push import PushSettings
from parley.base.config.sections import ServicesSettings
from parley.domain.errors import NotFound, Refused
from parley.domain.push_targets import PushSummary, PushTarget

from .extensions.pubsub.service import Partner
from .harness import DOMAIN, Client, Harness, NoContents, parse

SERVICE = "push.example.org"
PUBSUB = "http://jabber.org/protocol/pubsub"
COMMANDS = "http://jabber.org/protocol/commands"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
FIELDS = {"token": "t0k3n", "device-id": "phone"}
# The example of XEP-0357 §7: its forms have no type.
PUBLISHED = """
<iq type='set' from='{sender}' to='{to}' id='n12'>
  <pubsub xmlns='http://jabber.org/protocol/pubsub'>
    <publish node='{node}'>
      <item>
        <notification xmlns='urn:xmpp:push:0'>
          <x xmlns='jabber:x:data'>
            <field var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>
            <field var='message-count'><value>1</value></field>
            <field var='last-message-sender'><value>juliet@capulet.example/balcony</value></field>
            <field var='last-message-body'><value>Wherefore art thou, Romeo?</value></field>
          </x>
          <additional xmlns='http://example.com/custom'>Additional custom elements</additional>
        </notification>
      </item>
    </publish>
    <publish-options>
      <x xmlns='jabber:x:data'>
        <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>
        <field var='secret'><value>{secret}</value></field>
      </x>
    </publish-options>
  </pubsub>
</iq>
"""
SUMMARY = PushSummary(1, None, "juliet@capulet.example/balcony", "Wherefore art thou, Romeo?")


class Sender:
    """Keeps what it is to send; `error` is raised instead."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, PushSummary]] = []
        self.error: Exception | None = None

    async def send(self, target: PushTarget, summary: PushSummary) -> None:
        self.sent.append((target.token, summary))
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def a_service(push: PushSettings | None = None) -> AsyncIterator[tuple[Harness, Client, Partner, Sender]]:
    """A server with the service, alice's phone, a partner and what wakes devices."""
    settings = push or PushSettings(min_interval_s=60)
    async with Harness(services=ServicesSettings(push="push"), push=settings) as host:
        await host.add("alice")
        host.host.push_sender = sender = Sender()
        partner = Partner(host)
        yield host, await host.connect("alice/phone", presence=""), partner, sender


def command(node: str = "register-push-fcm", action: str = "execute", **fields: str) -> str:
    values = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    form = f"<x xmlns='jabber:x:data' type='submit'>{values}</x>" if fields else ""
    inside = f"<command xmlns='{COMMANDS}' node='{node}' action='{action}'>{form}</command>"
    return f"<iq type='set' id='c' to='{SERVICE}'>{inside}</iq>"


def values_in(answer: str) -> dict[str, str]:
    fields = parse(answer).iter("{jabber:x:data}field")
    return {field.get("var", ""): field.findtext("{jabber:x:data}value") or "" for field in fields}


async def registered(partner: Partner, who: str = "romeo@example.net/x", **fields: str) -> dict[str, str]:
    request = command(**(fields or FIELDS)).replace("<iq ", f"<iq from='{who}' ")
    (answer,) = [stanza for stanza in await partner.says(request) if stanza.startswith("<iq")]
    return values_in(answer)


def notification(known: dict[str, str], sender: str = "example.net", **changes: str) -> str:
    values = {"to": known["jid"], "node": known["node"], "secret": known["secret"], "sender": sender, **changes}
    return PUBLISHED.format(**values).strip()


def condition(answer: str) -> tuple[str | None, ...]:
    error = parse(answer).find("{jabber:client}error")
    assert error is not None, answer
    names = [str(child.tag).rpartition("}")[2] for child in error if not str(child.tag).endswith("}text")]
    return (error.get("type"), *names)


# What it is.


async def test_it_says_what_it_is_and_is_off_unless_it_has_a_name() -> None:
    ask = f"<iq type='get' id='d' to='{SERVICE}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
    async with a_service() as (_, alice, _partner, _sender):
        await alice.send(ask)
        (answer,) = alice.take()
        assert '<identity category="pubsub" type="push"' in answer
        for feature in ("urn:xmpp:push:0", f"{PUBSUB}#publish-only-affiliation", f"{PUBSUB}#access-whitelist"):
            assert f'<feature var="{feature}"/>' in answer
        await alice.send(ask.replace("#info'/>", f"#items' node='{COMMANDS}'/>"))
        assert "register-push-apns" in alice.take()[0]
        await alice.send(ask.replace("#info'/>", "#info' node='register-push-fcm'/>"))
        assert 'type="command-node"' in alice.take()[0]
    async with Harness() as host:
        await host.add("alice")
        alice = await host.connect("alice/phone")
        await alice.send(ask)
        assert 'type="error"' in alice.take()[0]


# Registering.


async def test_an_app_registers_with_one_request_and_again_keeps_its_node() -> None:
    async with a_service() as (host, alice, partner, _):
        first = await registered(partner)
        assert first["jid"] == SERVICE
        again = await registered(partner, **{**FIELDS, "token": "new"})
        assert again["node"] == first["node"]
        assert again["secret"] != first["secret"]
        other = await registered(partner, **{**FIELDS, "device-id": "tablet"})
        assert other["node"] != first["node"]
        await alice.send(command(**FIELDS))
        assert values_in(alice.take()[0])["node"] not in (first["node"], other["node"])
        (target,) = await host.storage.push_targets.of("alice@example.org")
        assert (target.token, target.kind, target.device) == ("t0k3n", "fcm", "phone")


async def test_who_sends_no_form_gets_one() -> None:
    async with a_service() as (_, alice, _partner, _sender):
        await alice.send(command())
        (asked,) = alice.take()
        assert 'status="executing"' in asked
        assert set(values_in(asked)) == {"token", "device-id"}
        session = parse(asked)[0].get("sessionid")
        await alice.send(command(action="complete", **FIELDS).replace("action=", f"sessionid='{session}' action="))
        assert values_in(alice.take()[0])["jid"] == SERVICE
        await alice.send(command(action="cancel"))
        assert 'status="canceled"' in alice.take()[0]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (command("register-push-pigeon", **FIELDS), ("cancel", "item-not-found")),
        (command(**{"device-id": "phone"}), ("modify", "bad-request", "bad-payload")),
        (command(token="x" * 5000), ("modify", "bad-request", "bad-payload")),
        (command(action="prev", **FIELDS), ("modify", "bad-request", "bad-action")),
        (command("unregister-push", **{"device-id": "phone"}), ("cancel", "item-not-found")),
    ],
)
async def test_what_cannot_be_registered(request_: str, answer: tuple[str, ...]) -> None:
    async with a_service() as (_, alice, _partner, _sender):
        await alice.send(request_)
        assert condition(alice.take()[0]) == answer


async def test_there_are_bounds_to_who_registers_and_how_much() -> None:
    async with a_service(PushSettings(max_devices_each=1, apps="accounts")) as (_, alice, partner, _sender):
        await alice.send(command(**FIELDS), command(**{**FIELDS, "device-id": "other"}))
        assert condition(alice.take()[1]) == ("wait", "resource-constraint")
        request = command(**FIELDS).replace("<iq ", "<iq from='romeo@example.net/x' ")
        assert condition((await partner.says(request))[0]) == ("auth", "forbidden")


async def test_a_server_is_told_of_a_device_that_is_unregistered() -> None:
    async with a_service() as (host, _, partner, sender):
        known = await registered(partner)
        request = command("unregister-push", **{"device-id": "phone"}).replace(
            "<iq ", "<iq from='romeo@example.net/x' "
        )
        told, done = sorted(await partner.says(request), key=lambda stanza: stanza.startswith("<iq"))
        assert 'status="completed"' in done
        # XEP-0357 §8
        inside = parse(told)[0]
        assert (parse(told).get("from"), parse(told).get("to")) == (SERVICE, "romeo@example.net")
        assert (inside.tag, inside.get("node")) == (f"{{{PUBSUB}}}pubsub", known["node"])
        assert dict(inside[0].attrib) == {"jid": "romeo@example.net", "affiliation": "none"}
        (gone,) = await partner.says(notification(known))
        assert condition(gone) == ("cancel", "item-not-found")
        assert sender.sent == []
        assert await host.storage.push_targets.of("romeo@example.net") == []


# Notifications.


@pytest.mark.parametrize("sender_address", ["example.net", "romeo@example.net"])
async def test_the_published_example_wakes_the_device_and_is_counted(sender_address: str) -> None:
    async with a_service() as (host, _, partner, sender):
        known = await registered(partner)
        (answer,) = await partner.says(notification(known, sender_address))
        publish = parse(answer)[0][0]
        assert (parse(answer).get("type"), publish.get("node")) == ("result", known["node"])
        assert publish[0].get("id")
        assert sender.sent == [("t0k3n", SUMMARY)]
        target = await host.storage.push_targets.find(known["node"])
        assert target is not None
        assert target.wakes == 1


NOT_MET = ("cancel", "conflict", "precondition-not-met")
BAD_REQUEST = ("modify", "bad-request")


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"node": "none"}, ("cancel", "item-not-found")),
        ({"node": ""}, ("modify", "bad-request", "nodeid-required")),
        ({"secret": "wrong"}, NOT_MET),
        ({"secret": ""}, NOT_MET),
        ({"sender": "mallory.example"}, ("auth", "forbidden")),
        (
            {"<publish-options": "<other", "</publish-options": "</other"},
            ("cancel", "conflict", "precondition-not-met"),
        ),
        ({"var='secret'": "var='pubsub#secret'"}, NOT_MET),
        ({"urn:xmpp:push:0": "urn:x"}, ("modify", "bad-request", "invalid-payload")),
        ({"<item>": "<item><a xmlns='b'/>"}, ("modify", "bad-request", "invalid-payload")),
        ({"<item>": "<item/><item>"}, ("modify", "bad-request", "invalid-payload")),
        ({"<item>": "<hidden xmlns='x'>", "</item>": "</hidden>"}, ("modify", "bad-request", "item-required")),
        (
            {"<item>": "<item/><hidden xmlns='x'>", "</item>": "</hidden>"},
            ("modify", "bad-request", "payload-required"),
        ),
        ({"to": f"{SERVICE}/x"}, ("cancel", "service-unavailable")),
    ],
)
async def test_what_wakes_nobody(change: dict[str, str], answer: tuple[str, ...]) -> None:
    async with a_service() as (host, _, partner, sender):
        known = await registered(partner)
        values = {key: value for key, value in change.items() if key.isalpha()}
        stanza = notification(known, **values)
        for old, new in change.items():
            if not old.isalpha():
                assert old in stanza
                stanza = stanza.replace(old, new)
        (refused,) = await partner.says(stanza)
        assert condition(refused) == answer
        assert sender.sent == []
        target = await host.storage.push_targets.find(known["node"])
        assert target is not None
        assert target.wakes == 0


@pytest.mark.parametrize(
    ("kind", "inside", "answer"),
    [
        ("get", "<items node='{node}'/>", ("cancel", "not-allowed", "closed-node")),
        ("set", "<subscribe node='{node}' jid='romeo@example.net'/>", ("cancel", "not-allowed", "closed-node")),
        ("get", "<items node='none'/>", ("cancel", "item-not-found")),
        ("set", "<create node='n'/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("get", "<affiliations/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("set", "", ("modify", "bad-request")),
    ],
)
async def test_a_node_is_for_nothing_else(kind: str, inside: str, answer: tuple[str, ...]) -> None:
    async with a_service() as (_, _alice, partner, _sender):
        known = await registered(partner)
        content = f"<pubsub xmlns='{PUBSUB}'>{inside.format(**known)}</pubsub>"
        stanza = f"<iq type='{kind}' id='x' from='romeo@example.net/x' to='{SERVICE}'>{content}</iq>"
        (refused,) = await partner.says(stanza)
        assert condition(refused) == answer


async def test_a_device_is_woken_now_and_then_with_what_was_told_last() -> None:
    async with a_service() as (host, _, partner, sender):
        known = await registered(partner)
        for count in "123":
            stanza = notification(known).replace("<value>1</value>", f"<value>{count}</value>")
            assert 'type="result"' in (await partner.says(stanza))[0]
        assert [summary.messages for _, summary in sender.sent] == [1]
        host.clock.advance(60)
        await host.settle()
        assert [summary.messages for _, summary in sender.sent] == [1, 3]
        host.clock.advance(60)
        await host.settle()
        await partner.says(notification(known))
        assert len(sender.sent) == 3
        host.clock.advance(60)
        await host.settle()


async def test_a_device_that_is_gone_is_forgotten_and_one_that_is_not_reached_is_kept() -> None:
    async with a_service() as (host, _, partner, sender):
        known = await registered(partner)
        sender.error = Refused("sender-unreachable")
        assert 'type="result"' in (await partner.says(notification(known)))[0]
        assert await host.storage.push_targets.find(known["node"]) is not None
        host.clock.advance(60)
        await host.settle()
        assert len(sender.sent) == 1
        sender.error = NotFound("device-gone")
        came = await partner.says(notification(known))
        assert any('affiliation="none"' in stanza for stanza in came)
        assert await host.storage.push_targets.find(known["node"]) is None
        host.clock.advance(60)
        await host.settle()


async def test_this_server_wakes_by_its_own_service_too() -> None:
    async with a_service() as (host, alice, _partner, sender):
        await alice.send(command(**FIELDS))
        known = values_in(alice.take()[0])
        options = (
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            f"<value>{PUBSUB}#publish-options</value></field>"
            f"<field var='secret'><value>{known['secret']}</value></field></x>"
        )
        enable = f"<enable xmlns='urn:xmpp:push:0' jid='{known['jid']}' node='{known['node']}'>{options}</enable>"
        await alice.send(f"<iq type='set' id='e'>{enable}</iq>")
        assert 'type="result"' in alice.take()[0]
        account = alice.session.account
        (registration,) = await host.host.push.of(account.id)
        outcome = asyncio.ensure_future(host.host.push.send(account.id, account.address, registration))
        await host.settle()
        assert (await outcome).problem == ""
        # What waits is told to nobody.
        assert sender.sent == [("t0k3n", PushSummary())]
        # A device that is unregistered here is woken no more, and nobody has to be refused for it.
        await alice.send(command("unregister-push", **{"device-id": "phone"}))
        assert list(await host.host.push.of(account.id)) == []


async def test_who_follows_a_removed_account_has_none_of_its_devices() -> None:
    async with a_service() as (host, alice, partner, _):
        await registered(partner)
        await alice.send(command(**FIELDS))
        assert values_in(alice.take()[0])["jid"] == SERVICE
        live = LiveServer(host.host, host.host.stores.directory, NoContents())  # type: ignore[arg-type]
        operations = Operations(host.storage, host.clock, [DOMAIN], live)
        await operations.answer(requests.RemoveUser("alice@example.org"))
        assert await host.storage.push_targets.of("alice@example.org") == []
        assert len(await host.storage.push_targets.of("romeo@example.net")) == 1
