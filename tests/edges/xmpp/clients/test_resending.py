"""Messages that come again under their origin-id (XEP-0359)."""

from __future__ import annotations

from ..harness import Harness


async def test_what_another_device_of_the_sender_sends_again_comes_once() -> None:
    async with Harness() as host:
        await host.add("alice", "bob", "carol")
        desk = await host.connect("bob/desk", presence="")
        phone, tablet, other = [await host.connect(name) for name in ("alice/phone", "alice/tablet", "carol/phone")]
        tablet.session.lang = "de"
        message = "<message to='bob@example.org' type='chat' id='m'{}><body>{}</body>{}</message>"
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
        once = message.format("", "one", origin)
        await phone.send(once)
        await tablet.send(once, message.format(" from='alice@example.org/tablet'", "one", origin))
        assert [line.count("<body>one") for line in desk.take()] == [1]
        # Counted anew, and somebody else.
        await tablet.send(message.format("", "two", origin))
        await other.send(once)
        assert ["<body>two" in line for line in desk.take()] == [True, False]
