"""Fuzz target: whatever a client says, in whatever pieces, its stream answers with XML and ends but once."""

from xml.parsers import expat

from parley.protocols.xmpp import bind2, fast, scram_upgrade
from parley.protocols.xmpp.c2s import (
    AuthenticateRequested,
    AuthRequested,
    AuthResponded,
    BindRequested,
    ClientStream,
    Event,
    NonzaReceived,
    StanzaReceived,
    StreamConfig,
    StreamEnded,
    StreamState,
    TaskAnswered,
    TaskChosen,
    TlsRequested,
)
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import PayloadError, SASLCondition, SASLError, StanzaCondition, StanzaError
from parley.protocols.xmpp.framing import FramingLimits
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_BIND2, NS_FAST

LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
HEADER = (
    b"<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xml:lang='de' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
OPEN = b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>"
TLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>eQ==</auth>"
CHALLENGED = AUTH.replace(b"eQ==", b"") + b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>eQ==</response>"
BIND = b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"
STANZA = b"<message xmlns='jabber:client' to='bob@example.org'><body>hi</body></message>"
NEWER = (
    b"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>eQ==</initial-response>"
    b"<user-agent id='u'><software>s</software></user-agent><bind xmlns='urn:xmpp:bind:0'><tag>t</tag>"
    b"<enable xmlns='urn:xmpp:carbons:2'/></bind><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
    b"<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade></authenticate>"
)
TASK = NEWER.replace(b"eQ==", b"dA==") + (
    b"<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/><task-data xmlns='urn:xmpp:sasl:2'>"
    b"<hash xmlns='urn:xmpp:scram-upgrade:0'>BzOnw3Pc5H4bOLlPZ/8JAy6wnTpH05aH21KW2+Xfpaw=</hash></task-data>"
)
TOKEN = (
    b"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'>"
    b"<initial-response>YWxpY2UAMDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=</initial-response>"
    b"<user-agent id='u'/><fast xmlns='urn:xmpp:fast:0' count='7' invalidate='true'/></authenticate>"
)
CLOSE = b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"

# The first byte: bit 0 for a WebSocket, whose frames end at line feeds; the others for the length of the pieces.
SEEDS = [
    b"\x7e" + HEADER + TLS + HEADER + AUTH + HEADER + BIND + STANZA + b"</stream:stream>",
    b"\x02" + HEADER + TLS + HEADER + CHALLENGED + HEADER + BIND.replace(b"r<", b"no<"),
    b"\x10" + HEADER + AUTH + b"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    b"\x01" + b"\n".join((OPEN, AUTH, OPEN, BIND.replace(b"<iq", b"<iq xmlns='jabber:client'"), STANZA, CLOSE)),
    b"\x01" + b"\n".join((OPEN, CHALLENGED[: CHALLENGED.index(b"<resp")], CHALLENGED[CHALLENGED.index(b"<resp") :])),
    b"\x7e" + HEADER + TLS + HEADER + NEWER + STANZA + b"</stream:stream>",
    b"\x0c" + HEADER + TLS + HEADER + TASK + STANZA,
    b"\x7e" + HEADER + TLS + HEADER + TOKEN + BIND,
    b"\x01" + b"\n".join((OPEN, NEWER, STANZA, CLOSE)),
    b"\x05" + OPEN.replace(b"example.org", b"elsewhere.example"),
]


def target(data: bytes) -> None:
    """Feed `data`, answer what is asked, and check what goes out."""
    if not data:
        return
    is_framed, step, rest = bool(data[0] & 1), (data[0] >> 1) + 1, data[1:]
    pieces = rest.split(b"\n") if is_framed else [rest[at : at + step] for at in range(0, len(rest), step)]
    stream = _stream(is_framed=is_framed)
    said = _Reader(is_framed=is_framed)
    ends = 0
    for piece in pieces:
        events = stream.receive(piece)
        while events:
            event = events.pop(0)
            assert not ends, "something came behind the end"
            ends += isinstance(event, StreamEnded)
            said.read(stream.output())
            if _answer(stream, event, said):
                events += stream.proceed()
    said.read(stream.output())
    assert (stream.state is StreamState.CLOSED) == bool(ends)


def _stream(*, is_framed: bool) -> ClientStream:
    config = StreamConfig(
        domains=frozenset({"example.org"}),
        primary_domain="example.org",
        is_framed=is_framed,
        is_tls_offered=not is_framed,
        is_tls_required=False,
        mechanisms=lambda _bindings, _is_secure: ("PLAIN",),
        features=lambda is_authenticated: b"<after/>" if is_authenticated else b"<before/>",
        limits=LIMITS,
        authenticated_limits=LIMITS,
        token_mechanisms=fast.offered,
        inside=lambda bindings: fast.feature(fast.offered(bindings)) + bind2.feature(["x"]) + scram_upgrade.features(),
    )
    return ClientStream(config, lambda: "i", is_secure=is_framed, channel_bindings={})


def _answer(stream: ClientStream, event: Event, said: "_Reader") -> bool:
    """Do what a server would; tell whether that was an answer for which the stream waits."""
    if isinstance(event, TlsRequested):
        stream.tls_established({"tls-exporter": b"x"})
        said.restart()
    elif isinstance(event, AuthenticateRequested):
        said.is_newer = True
        _answer_newer(stream, event)
    elif isinstance(event, TaskChosen):
        stream.task_data(scram_upgrade.parameters(b"salt", 4096))
    elif isinstance(event, TaskAnswered):
        _answer_task(stream, event.element)
    elif isinstance(event, AuthRequested | AuthResponded):
        token = event.initial if isinstance(event, AuthRequested) else event.data
        said.is_newer &= isinstance(event, AuthResponded)
        if token is None:
            stream.challenge(b"say")
        elif token.startswith(b"y") and said.is_newer:
            stream.authenticated("alice@example.org", b"", [], is_bound=False)
        elif token.startswith(b"y"):
            stream.auth_succeeded()
            said.read(stream.output())
            said.restart()
        else:
            stream.auth_failed(SASLCondition.NOT_AUTHORIZED)
    elif isinstance(event, BindRequested):
        if event.resource == "no":
            stream.bind_refused(event.id, StanzaError(StanzaCondition.CONFLICT))
        else:
            stream.bound(event.id, JID.parse("alice@example.org/r"))
    else:
        # RFC 6120 §6.4.1, §7.1: stanzas are for who has signed in and bound, at least in our eyes.
        assert not isinstance(event, StanzaReceived) or stream.is_authenticated
        assert not isinstance(event, NonzaReceived) or stream.is_authenticated
        return False
    return True


def _answer_newer(stream: ClientStream, event: AuthenticateRequested) -> None:
    request = event.request
    assert len(request.agent.id) <= 255
    assert len(request.upgrades) <= 8
    try:
        element = request.inline.get((NS_FAST, "fast"))
        if element is not None:
            assert fast.parse_fast(element).count != 0
            fast.parse_initiation(request.initial or b"")
    except SASLError as error:
        stream.auth_failed(error.condition, error.text)
        return
    if request.initial is None:
        stream.challenge(b"say")
    elif request.initial.startswith(b"t"):
        stream.continue_with(scram_upgrade.TASKS[0], b"v=x")
    elif request.initial.startswith((b"y", b"a")):
        wanted = request.inline.get((NS_BIND2, "bind"))
        results = [Element.from_tree(each).raw for each in request.inline.values()] if wanted is None else []
        address = JID.parse("alice@example.org")
        if wanted is not None:
            address = bind2.full_address(address, bind2.parse_tag(wanted), "r")
            results.append(bind2.bound([]))
        # What comes for the client meanwhile goes out behind the success.
        stream.send(STANZA.replace(b" xmlns='jabber:client'", b""))
        stream.authenticated(str(address), b"v", results, is_bound=wanted is not None)
    else:
        stream.auth_failed(SASLCondition.NOT_AUTHORIZED, "no", b"<x xmlns='y'/>")


def _answer_task(stream: ClientStream, element: Element) -> None:
    try:
        keys = scram_upgrade.parse_keys(element, scram_upgrade.TASKS[0], b"salt", 4096)
    except (SASLError, PayloadError):
        stream.auth_failed(SASLCondition.MALFORMED_REQUEST)
    else:
        assert len(keys.stored_key) == 32
        stream.authenticated("alice@example.org", None, [], is_bound=False)


class _Reader:
    """The client's parser: a stream of documents, or one document in each frame."""

    def __init__(self, *, is_framed: bool) -> None:
        self._is_framed = is_framed
        self.is_newer = False
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def restart(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def read(self, items: list[bytes]) -> None:
        for item in items:
            if self._is_framed:
                expat.ParserCreate(namespace_separator=" ").Parse(item, True)
            else:
                self._parser.Parse(item, False)


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
