"""Fuzz target: a component's stream takes anything; nobody is established without the secret."""

from parley.protocols.xmpp.components import ComponentStream, Established, digest
from parley.protocols.xmpp.framing import FramingLimits

HEADER = (
    b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    b" to='bridge.example.org'>"
)
RIGHT = b"<handshake>" + digest("id", "secret").encode() + b"</handshake>"

SEEDS = [
    HEADER + b"<handshake>" + b"0" * 40 + b"</handshake>",
    HEADER + b"<message xmlns='jabber:component:accept'><body xmlns='jabber:component:accept'>x</body></message>",
    b"<iq type='get' id='1' from='bridge.example.org' to='a@b'><q xmlns='urn:x' a:b='c' xmlns:a='urn:a'/></iq>",
    b"<presence><x xmlns='urn:x'><message xmlns='jabber:component:accept'/></x></presence></stream:stream>",
]


def target(data: bytes) -> None:
    """`data` as a whole stream, byte by byte where it is short, and behind a right handshake."""
    limits = FramingLimits(max_stanza_bytes=10_000)
    stream = ComponentStream({"bridge.example.org": "another secret"}, "id", limits, lambda _domain: True)
    events = stream.receive(data)
    assert not any(isinstance(event, Established) for event in events)
    behind = ComponentStream({"bridge.example.org": "secret"}, "id", limits, lambda _domain: True)
    assert isinstance(behind.receive(HEADER + RIGHT)[0], Established)
    for start in range(0, len(data), 64):
        behind.receive(data[start : start + 64])
    behind.output()


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
