"""Two servers and a name system: what people on one say reaches those on the other."""

from __future__ import annotations

from pathlib import Path

from tests.edges.xmpp.federation.net import got, two_servers

HI = "<message to='bob@beta.example' type='chat' id='1'><body>hi</body></message>"
HI_ARRIVED = (
    "<message from='alice@alpha.example/a' to='bob@beta.example' type='chat' id='1'><body>hi</body>"
    "<stranger xmlns='urn:parley:stranger:0'/>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='bob@beta.example' id='*'/></message>"
)


async def test_a_message_and_its_answer(tmp_path: Path) -> None:
    async with two_servers(tmp_path) as (alpha, beta):
        alice = await alpha.connect("alice@alpha.example/a", presence="")
        bob = await beta.connect("bob@beta.example/b", presence="")
        await alice.send(HI)
        await got(bob, HI_ARRIVED)
        await bob.send("<message to='alice@alpha.example/a' type='chat' id='2'><body>yes</body></message>")
        await got(
            alice,
            "<message from='bob@beta.example/b' to='alice@alpha.example/a' type='chat' id='2'><body>yes</body>"
            "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@alpha.example' id='*'/></message>",
        )
        # Both directions share the stream that the first message opened.
        assert alpha.streams == ["out"]
        assert beta.streams == ["in"]
        # What the partner has acknowledged waits no longer.
        alpha.tick(1)
        await alpha.delivered()
