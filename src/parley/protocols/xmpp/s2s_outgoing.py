"""The initiating end of a stream between servers (RFC 6120 §4 to §6, XEP-0178, XEP-0220, XEP-0288), sans-IO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.dialback import Dialback, dialback_key
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StreamCondition, StreamError
from parley.protocols.xmpp.s2s import (
    Authenticated,
    AuthenticationFailed,
    DialbackVerified,
    Event,
    ServerStream,
    ServerStreamConfig,
    ServerStreamState,
    TlsWanted,
    domain_of,
    is_supported_version,
)
from parley.protocols.xmpp.sasl import encode_payload

if TYPE_CHECKING:
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.framing import StreamOpened


class OutgoingStream(ServerStream):
    """A stream that we open to another server.

    Args:
        config: what we demand.
        local: the domain of ours that speaks.
        remote: the other server's.
        is_secure: TLS is there already.
        is_dialback_allowed: to prove who we are by it where the peer does not take our certificate.
        is_bidi_wanted: to take the peer's stanzas on this stream as well (XEP-0288); asked when TLS is there, since the
            peer's certificate vouches for them.
        is_for_verifying: only to ask about another stream: nothing is proven, and `Authenticated` never comes.
    """

    def __init__(
        self,
        config: ServerStreamConfig,
        local: str,
        remote: str,
        *,
        is_secure: bool,
        is_dialback_allowed: bool,
        is_bidi_wanted: bool,
        is_for_verifying: bool = False,
    ) -> None:
        super().__init__(config, is_secure=is_secure)
        self.local = local
        self.remote = remote
        self.is_dialback_allowed = is_dialback_allowed
        self.is_bidi_wanted = is_bidi_wanted
        self._is_for_verifying = is_for_verifying
        self._questions: list[Dialback] = []
        self._open_questions: set[tuple[str, str, str]] = set()
        self._is_trying_external = False
        self._may_dialback = False
        self._is_ready = False
        self.id = ""
        self.is_sm_offered = False
        self._is_bidi_offered = False
        self._is_another = False
        self.is_bidi = False
        """The peer's stanzas come on this stream as well."""
        self._send_open()

    def verify(self, question: Dialback) -> None:
        """Ask whether a stream is the peer's own (XEP-0220 §2.3); the answer is a `DialbackVerified`."""
        self._questions.append(question)
        self._ask()

    def _ask(self) -> None:
        if not self._is_ready:
            return
        for question in self._questions:
            self._open_questions.add((question.sender, question.to, question.id))
            self._out.append(question.to_bytes())
        self._questions.clear()

    # The header.

    def _restart(self) -> None:
        super()._restart()
        self._send_open()

    def _send_open(self) -> None:
        # RFC 6120 §4.7.1: a server's header names both ends; between servers nothing in it needs hiding.
        self._out.append(self._header_bytes({"from": self.local, "to": self.remote}))
        self._is_open_sent = True

    def _opened(self, event: StreamOpened) -> list[Event]:
        self.id = event.attrs.get("id", "")
        answering = domain_of(event.attrs.get("from"))
        self._is_another = answering not in {"", self.remote}
        if not is_supported_version(event.attrs.get("version", "")):
            return self.fail(StreamCondition.UNSUPPORTED_VERSION, "version 1.0 is required")
        self.state = ServerStreamState.NEGOTIATING
        return []

    # Elements.

    def _taken(self, element: Element) -> list[Event]:
        # RFC 6120 §4.9.1.2: who does not know the host that was called says so from another one; nothing else counts.
        if self._is_another and (element.namespace, element.name) != (ns.NS_STREAMS, "error"):
            raise StreamError(StreamCondition.INVALID_FROM, "another host answers")
        return super()._taken(element)

    def _negotiation(self, element: Element) -> list[Event]:
        key = (element.namespace, element.name)
        if key == (ns.NS_STREAMS, "features"):
            return self._features(element)
        if key == (ns.NS_TLS, "proceed") and not self.is_secure:
            self.state = ServerStreamState.SECURING
            return [TlsWanted()]
        if key == (ns.NS_TLS, "failure"):
            return self._failed_to_authenticate("the peer refuses TLS")
        if element.namespace == ns.NS_SASL and self._is_trying_external:
            return self._sasl(element)
        return self.fail(StreamCondition.UNSUPPORTED_FEATURE, "not expected here")

    def _features(self, element: Element) -> list[Event]:
        self.is_sm_offered = element.has(ns.NS_SM, "sm")
        if self._is_authenticated:
            return self._established("external")
        if not self.is_secure and element.has(ns.NS_TLS, "starttls"):
            self._out.append(xml("starttls", {"xmlns": ns.NS_TLS}))
            return []
        if not self.is_secure and self._config.is_tls_required:
            return self._failed_to_authenticate("the peer offers no TLS")
        self._is_ready = True
        self._ask()
        if self._is_for_verifying:
            return []
        self._may_dialback = self.is_dialback_allowed and bool(self.id)
        mechanisms = element.child(ns.NS_SASL, "mechanisms")
        names = [] if mechanisms is None else [(node.text or "").strip() for node in element.child_tree(mechanisms)]
        if self.is_bidi_wanted and self.is_secure and element.has(ns.NS_BIDI_FEATURE, "bidi"):
            self._is_bidi_offered = True
            self._out.append(xml("bidi", {"xmlns": ns.NS_BIDI}))
        if "EXTERNAL" in names:
            self._is_trying_external = True
            identity = encode_payload(self.local.encode())
            self._out.append(xml("auth", {"xmlns": ns.NS_SASL, "mechanism": "EXTERNAL"}, identity))
            return []
        return self._try_dialback("the peer does not take our certificate")

    def _sasl(self, element: Element) -> list[Event]:
        self._is_trying_external = False
        if element.name == "success":
            self._is_authenticated = True
            self._restart()
            return []
        if element.name == "challenge":
            return self.fail(StreamCondition.UNSUPPORTED_FEATURE, "EXTERNAL has no challenges")
        reason = next((child.name for child in element.children if child.name != "text"), "")
        return self._try_dialback(f"the peer refuses our certificate: {reason}")

    def _try_dialback(self, reason: str) -> list[Event]:
        if not self._may_dialback:
            return self._failed_to_authenticate(reason)
        key = dialback_key(self._config.secret, self.remote, self.local, self.id)
        self._out.append(Dialback("result", self.local, self.remote, key=key).to_bytes())
        return []

    def _established(self, by: str) -> list[Event]:
        self._is_authenticated = True
        self.state = ServerStreamState.ESTABLISHED
        if self._is_bidi_offered:
            self.is_bidi = True
            self.remotes.add(self.remote)
        return [Authenticated(self.local, by)]

    def _failed_to_authenticate(self, reason: str) -> list[Event]:
        self.close()
        return [AuthenticationFailed(reason)]

    def _dialback(self, dialback: Dialback) -> list[Event]:
        if not dialback.type:
            return self._asked(dialback)
        if dialback.name == "verify":
            key = (dialback.to, dialback.sender, dialback.id)
            if key not in self._open_questions:
                return self.fail(StreamCondition.INVALID_FROM, "an answer to what was not asked")
            self._open_questions.discard(key)
            return [DialbackVerified(dialback)]
        if (dialback.sender, dialback.to) != (self.remote, self.local) or self.state is ServerStreamState.ESTABLISHED:
            return self.fail(StreamCondition.INVALID_FROM, "an answer to what was not asked")
        if dialback.type == "valid" and self._may_dialback:
            return self._established("dialback")
        self.close()
        return [AuthenticationFailed(f"dialback: {dialback.type} {dialback.condition}".strip(), dialback.type)]

    def _asked(self, question: Dialback) -> list[Event]:
        if not self.is_bidi:
            return self.fail(StreamCondition.UNSUPPORTED_STANZA_TYPE, "questions go the other way")
        # XEP-0288 §2.2: who was called may ask to speak for further domains; those open streams of their own here.
        if question.name == "verify":
            self._vouch(question)
        else:
            self._answer(question, "error", StanzaCondition.NOT_ACCEPTABLE)
        return []
