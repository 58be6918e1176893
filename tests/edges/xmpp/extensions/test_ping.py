"""XEP-0199."""

from __future__ import annotations

from ..harness import Harness


async def test_server_account_and_service_answer() -> None:
    async with Harness() as host:
        await host.add("alice")
        phone = await host.connect("alice/phone")
        for nobody in ("", " to=''"):
            await phone.ask(
                f"<iq type='get' id='1'{nobody}><ping xmlns='urn:xmpp:ping'/></iq>",
                "<iq type='result' id='1' to='alice@example.org/phone'/>",
            )
        for to in ("alice@example.org", "example.org", "upload.example.org"):
            await phone.ask(
                f"<iq type='get' id='1' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>",
                f"<iq type='result' id='1' from='{to}' to='alice@example.org/phone'/>",
            )


async def test_nobody_pings_for_a_contact() -> None:
    async with Harness() as host:
        await host.add("alice", "bob")
        phone = await host.connect("alice/phone")
        for to in ("bob@example.org", "nobody@example.org"):
            await phone.ask(
                f"<iq type='get' id='1' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>",
                f"<iq type='error' id='1' from='{to}' to='alice@example.org/phone'><error type='cancel' code='503'>"
                "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            )
