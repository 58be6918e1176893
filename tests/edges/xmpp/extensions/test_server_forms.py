"""What the server's disco#info says beyond its features (XEP-0128): XEP-0157 and XEP-0455."""

from __future__ import annotations

from tests.edges.xmpp.wires import an_edge

INFO = "<iq type='get' id='i' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
ADDRESSES = "<value>https://status.example.net/parley.json</value>"


async def test_who_is_to_be_turned_to_and_where_outages_are_told() -> None:
    contact = {"abuse": ["mailto:abuse@example.org"], "outage_urls": ["https://status.example.net/parley.json"]}
    async with an_edge(contact=contact) as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        answer = await edge.say(wire, INFO)
        assert (
            '<field var="abuse-addresses" type="list-multi"><value>mailto:abuse@example.org</value></field>' in answer
        )
        assert f'<field var="external-status-addresses" type="list-multi">{ADDRESSES}</field>' in answer
        assert "<value>urn:xmpp:sos:0</value>" in answer
        assert "sales-addresses" not in answer


async def test_without_settings_nothing_is_said() -> None:
    async with an_edge() as edge:
        wire = edge.open()
        await edge.sign_in(wire)
        assert "jabber:x:data" not in await edge.say(wire, INFO)
