"""A push service of another author's making: a component of slixmpp that is asked to wake a device."""

from __future__ import annotations

import asyncio
import json

import pytest
from slixmpp import Iq
from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath
from tests.support.limits import until, within
from tests.support.raw_client import RawClient
from tests.support.server import ParleyServer, free_ports

pytestmark = pytest.mark.peer
DOMAIN, SECRET = "push.localhost.example", "a long secret"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
OPTIONS = (
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
    "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
    "<field var='secret'><value>s3cr3t</value></field></x>"
)


class PushService:
    """Takes notifications."""

    def __init__(self, port: int) -> None:
        self.component = ComponentXMPP(DOMAIN, SECRET, "127.0.0.1", port)
        self.component.register_plugin("xep_0060")
        self.taken: list[ET.Element] = []
        handler = Callback("push", StanzaPath("iq@type=set/pubsub/publish"), self._published)
        self.component.register_handler(handler)

    async def start(self) -> None:
        ready = asyncio.Event()
        self.component.add_event_handler("session_start", lambda _event: ready.set())
        self.component.connect()
        await ready.wait()

    def _published(self, iq: Iq) -> None:
        self.taken.append(iq.xml)
        iq.reply(clear=True).send()


@within(90)
async def test_a_device_is_woken_by_a_component_and_the_chain_can_be_tried() -> None:
    (port,) = free_ports(1)
    settings = {
        "xmpp": [f'component = ["127.0.0.1:{port}"]'],
        "[components]": [f'name = "{DOMAIN}"', f'secret = "{SECRET}"'],
    }
    with ParleyServer(settings) as server:
        service = PushService(port)
        await service.start()
        alice, bob = server.person(), server.person()
        phone = await RawClient("127.0.0.1", server.c2s_port).connect()
        await phone.session(bob.name, bob.password, "phone")
        enable = f"<enable xmlns='urn:xmpp:push:0' jid='{DOMAIN}' node='n0'>{OPTIONS}</enable>"
        assert (await phone.iq("set", enable)).get("type") == "result"
        await phone.close()
        sender = await RawClient("127.0.0.1", server.c2s_port).connect()
        await sender.session(alice.name, alice.password)
        sender.send(f"<message to='{bob.address}' type='chat'><body>what nobody else is to read</body></message>")
        await until(lambda: service.taken)
        publish = service.taken[0].find(f"{PUBSUB}pubsub/{PUBSUB}publish")
        assert publish is not None
        assert publish.get("node") == "n0"
        assert publish.find(f"{PUBSUB}item/{{urn:xmpp:push:0}}notification") is not None
        whole = ET.tostring(service.taken[0], "unicode")
        assert "s3cr3t" in whole
        assert "nobody else" not in whole
        assert alice.name not in whole

        def run(*arguments: str) -> dict[str, object]:
            document: dict[str, object] = json.loads(server.run(*arguments, "--json", "--config", str(server.config)))
            return document

        tried = await asyncio.to_thread(run, "push", "test", bob.address)
        (notification,) = tried["notifications"]  # type: ignore[misc]
        assert notification["problem"] == ""  # type: ignore[index]
        assert len(service.taken) == 2
        await service.component.disconnect()
        await sender.close()
