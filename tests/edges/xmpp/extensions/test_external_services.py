"""XEP-0215 and XEP-0157: what `[turn]` and `[contact]` become."""

from __future__ import annotations

import base64
import hashlib
import hmac

from parley.base.config import ContactSettings, TurnSettings

from ..harness import Client, Harness, parse
from .test_disco import info

NS = "{urn:xmpp:extdisco:2}"
TURN = TurnSettings(host="turn.example.org", secret="s3cret", tls_port=5349, credentials_lifetime_s=600)


async def services(client: Client, payload: str) -> list[dict[str, str]]:
    client.take()
    await client.send(f"<iq type='get' id='1' to='example.org'>{payload}</iq>")
    (answer,) = client.take()
    return [dict(each.attrib) for each in parse(answer)[0]]


async def condition(client: Client, payload: str) -> str:
    client.take()
    await client.send(f"<iq type='get' id='1' to='example.org'>{payload}</iq>")
    (answer,) = client.take()
    return parse(answer)[0][0].tag.partition("}")[2]


async def test_all_services_with_credentials_that_end() -> None:
    async with Harness(turn=TURN) as host:
        account = await host.add("alice")
        phone = await host.connect("alice/phone")
        assert "urn:xmpp:extdisco:2" in (await info(phone, "example.org"))[1]
        found = await services(phone, "<services xmlns='urn:xmpp:extdisco:2'/>")
        assert [(each["type"], each["transport"], each["port"]) for each in found] == [
            ("stun", "udp", "3478"),
            ("stun", "tcp", "3478"),
            ("turn", "udp", "3478"),
            ("turn", "tcp", "3478"),
            ("turns", "tcp", "5349"),
        ]
        assert "password" not in found[0]
        relay = found[2]
        expires_s = host.clock.now_us() // 1_000_000 + 600
        assert relay["username"] == f"{expires_s}:{account.id}"
        digest = hmac.new(b"s3cret", relay["username"].encode(), hashlib.sha1).digest()
        assert base64.b64decode(relay["password"]) == digest
        assert relay["expires"].endswith("Z")
        assert relay["restricted"] == "true"


async def test_services_of_one_type() -> None:
    async with Harness(turn=TURN) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        found = await services(phone, "<services xmlns='urn:xmpp:extdisco:2' type='turns'/>")
        assert [each["type"] for each in found] == ["turns"]
        assert await services(phone, "<services xmlns='urn:xmpp:extdisco:2' type='ftp'/>") == []


async def test_credentials_of_one_service() -> None:
    async with Harness(turn=TURN) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        ask = "<credentials xmlns='urn:xmpp:extdisco:2'><service{0}/></credentials>"
        found = await services(phone, ask.format(" host='TURN.example.org' type='turn'"))
        assert [each["transport"] for each in found] == ["udp", "tcp"]
        assert all(each["password"] for each in found)
        assert len(await services(phone, ask.format(" host='turn.example.org' type='turns' port='5349'"))) == 1
        for wrong in ("host='other.example' type='turn'", "host='turn.example.org' type='turn' port='1'"):
            assert await condition(phone, ask.format(f" {wrong}")) == "item-not-found"
        for wrong in (" host='turn.example.org'", " type='turn'", ""):
            assert await condition(phone, ask.format(wrong)) == "bad-request"
        assert await condition(phone, "<credentials xmlns='urn:xmpp:extdisco:2'/>") == "bad-request"


async def test_without_a_secret_there_is_only_stun() -> None:
    async with Harness(turn=TurnSettings(host="192.0.2.1", tcp=False)) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        found = await services(phone, "<services xmlns='urn:xmpp:extdisco:2'/>")
        assert found == [{"type": "stun", "host": "192.0.2.1", "port": "3478", "transport": "udp"}]


async def test_without_a_host_nothing_is_told() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        assert await condition(phone, "<services xmlns='urn:xmpp:extdisco:2'/>") == "service-unavailable"
        assert "urn:xmpp:extdisco:2" not in (await info(phone, "example.org"))[1]


async def test_whom_to_turn_to() -> None:
    contact = ContactSettings(
        abuse=("mailto:abuse@example.org", "xmpp:abuse@example.org"), status=("https://s.example",)
    )
    async with Harness(contact=contact) as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        await phone.send(
            "<iq type='get' id='1' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
        (answer,) = phone.take()
        (form,) = parse(answer)[0].iterchildren("{jabber:x:data}x")
        assert {field.get("var"): [value.text for value in field] for field in form} == {
            "FORM_TYPE": ["http://jabber.org/network/serverinfo"],
            "abuse-addresses": ["mailto:abuse@example.org", "xmpp:abuse@example.org"],
            "status-addresses": ["https://s.example"],
        }
