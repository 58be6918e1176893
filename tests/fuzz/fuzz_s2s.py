"""Fuzz target: whatever another server says, whoever opened the stream, ours answers with XML and ends but once."""

from xml.parsers import expat

from parley.protocols.xmpp import s2s
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.s2s import ServerStreamConfig, ServerStreamState
from parley.protocols.xmpp.s2s_incoming import IncomingStream, Offers
from parley.protocols.xmpp.s2s_outgoing import OutgoingStream

HERE, THERE = "alpha.example", "beta.example"
LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
CONFIG = ServerStreamConfig(
    domains=lambda domain: domain == HERE,
    primary_domain=HERE,
    secret=b"s",
    is_tls_required=True,
    limits=LIMITS,
    authenticated_limits=LIMITS,
)
HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "
    b"xmlns:stream='http://etherx.jabber.org/streams' from='beta.example' to='alpha.example' version='1.0' id='i'>"
)
TLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"
RESULT = b"<db:result from='beta.example' to='alpha.example'>key</db:result>"
VERIFY = b"<db:verify from='beta.example' to='alpha.example' id='x'>key</db:verify>"
BIDI = b"<bidi xmlns='urn:xmpp:bidi'/>"
STANZA = b"<message from='b@beta.example' to='a@alpha.example'><body xmlns='jabber:server'>hi</body></message>"
FEATURES = (
    b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
    b"<bidi xmlns='urn:xmpp:features:bidi'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)
PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
SUCCESS = b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
FAILURE = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>"
VALID = b"<db:result from='beta.example' to='alpha.example' type='valid'/>"
ERROR = b"<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
END = b"</stream:stream>"

# The first byte: bit 0 for a stream of ours; the others for the length of the pieces.
SEEDS = [
    b"\x7e" + HEADER + TLS + HEADER + BIDI + AUTH + HEADER + STANZA + b"<r xmlns='urn:xmpp:sm:3'/>" + END,
    b"\x04" + HEADER + TLS + HEADER + RESULT + VERIFY + STANZA,
    b"\x10" + HEADER.replace(b"jabber:server'", b"jabber:client'", 1),
    b"\x7f" + HEADER + FEATURES + PROCEED + HEADER + FEATURES + SUCCESS + HEADER + FEATURES + STANZA + END,
    b"\x03" + HEADER + FEATURES + PROCEED + HEADER + FEATURES + FAILURE + VALID + ERROR,
    b"\x7f" + HEADER + b"<stream:features/>" + END,
]


def target(data: bytes) -> None:
    """Feed `data`, do what is asked, and check what goes out."""
    if not data:
        return
    is_ours, step, rest = bool(data[0] & 1), (data[0] >> 1) + 1, data[1:]
    stream = _stream(is_ours=is_ours)
    said = _Reader()
    ends = 0
    is_proven = False
    for at in range(0, len(rest), step):
        for event in stream.receive(rest[at : at + step]):
            assert not ends, "something came behind the end"
            ends += isinstance(event, s2s.ServerStreamEnded | s2s.AuthenticationFailed)
            is_proven |= isinstance(event, s2s.Authenticated)
            if isinstance(event, s2s.StanzaArrived):
                _check(stream, event, is_proven=is_proven)
            elif isinstance(event, s2s.TlsWanted):
                said.read(stream)
                said.restart()
                stream.tls_established()
            elif isinstance(event, s2s.DialbackAsked) and isinstance(stream, IncomingStream):
                is_proven |= bool(stream.dialback_answered(event.question, "valid"))
        said.read(stream)
    assert (stream.state is ServerStreamState.CLOSED) == bool(ends)


def _stream(*, is_ours: bool) -> s2s.ServerStream:
    if is_ours:
        return OutgoingStream(
            CONFIG, HERE, THERE, is_secure=False, is_dialback_allowed=True, is_bidi_wanted=True, is_for_verifying=False
        )
    return IncomingStream(CONFIG, lambda: "i", lambda _to, _from: Offers(external=True, dialback=True), is_secure=False)


def _check(stream: s2s.ServerStream, event: s2s.StanzaArrived, *, is_proven: bool) -> None:
    assert is_proven
    assert stream.is_secure
    assert event.to.domain == HERE
    assert event.sender.domain in stream.remotes
    # What goes on to clients says the same when it is read as theirs.
    again = Element.from_bytes(event.element.raw)
    assert (again.namespace, again.name) == (event.element.namespace, event.element.name)
    assert [child[:2] for child in again.children] == [child[:2] for child in event.element.children]


class _Reader:
    """The other server's parser: one document after the other."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def restart(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def read(self, stream: s2s.ServerStream) -> None:
        for item in stream.output():
            if item.startswith(b"<?xml"):
                self.restart()
            self._parser.Parse(item, False)


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
