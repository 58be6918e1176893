"""The receiving end of a stream between servers (RFC 6120 §4 to §6, XEP-0178, XEP-0220, XEP-0288), sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.dialback import Dialback
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import (
    SASLCondition,
    SASLError,
    StanzaCondition,
    StreamCondition,
    StreamError,
    sasl_failure,
)
from parley.protocols.xmpp.s2s import (
    Authenticated,
    DialbackAsked,
    Event,
    ServerStream,
    ServerStreamConfig,
    ServerStreamEnded,
    ServerStreamState,
    TlsWanted,
    domain_of,
    is_supported_version,
)
from parley.protocols.xmpp.sasl import decode_payload

if TYPE_CHECKING:
    from parley.protocols.xmpp.element import Element
    from parley.protocols.xmpp.framing import StreamOpened

# What waits for an answer of another server at a time; XEP-0220 §2.6: many domains may share a stream.
_MOST_DIALBACKS: Final = 32


@dataclass(frozen=True, slots=True)
class Offers:
    """How the peer may prove who it is, on the stream as it is now; neither when it is refused."""

    external: bool = False
    dialback: bool = False


class IncomingStream(ServerStream):
    """A stream that another server opened.

    Args:
        config: what we offer and demand.
        stream_ids: returns an unguessable id for each stream header (RFC 6120 §4.7.3).
        offers: what we offer a domain that calls one of ours (in this order, "" when it does not say who it is);
            raises StreamError to have nothing to do with it.
        is_secure: TLS is there already.
    """

    def __init__(
        self,
        config: ServerStreamConfig,
        stream_ids: Callable[[], str],
        offers: Callable[[str, str], Offers],
        *,
        is_secure: bool,
    ) -> None:
        super().__init__(config, is_secure=is_secure)
        self._stream_ids = stream_ids
        self._offers_for = offers
        self._offers = Offers()
        self._asked: set[tuple[str, str]] = set()
        self.id = ""
        self.local = ""
        """The domain of ours that the peer called."""
        self.remote = ""
        """Who the peer says it is, "" when it does not."""
        self._to = ""
        self.is_bidi = False
        """The peer takes stanzas of ours on this stream as well (XEP-0288)."""

    def dialback_answered(self, question: Dialback, verdict: str, condition: str = "") -> list[Event]:
        """Tell the peer what came of its question: `valid`, `invalid` or `error` with a stanza error's condition."""
        key = (question.sender, question.to)
        if self.state is ServerStreamState.CLOSED or key not in self._asked:
            return []
        self._asked.discard(key)
        if verdict == "invalid":
            return self._spoofed(question)
        self._answer(question, verdict, condition)
        if verdict != "valid":
            return []
        self._is_authenticated = True
        self.remotes.add(question.sender)
        self.state = ServerStreamState.ESTABLISHED
        local = "" if question.to == self.local else question.to
        return [Authenticated(question.sender, "dialback", local)]

    def _spoofed(self, question: Dialback) -> list[Event]:
        """The peer is not the domain that it says it is."""
        if self.remotes:
            # XEP-0220 §2.1.2: an error in its place spares the domains that the stream has proven already.
            self._answer(question, "error", StanzaCondition.FORBIDDEN)
            return []
        # §2.2.1: otherwise the stream MUST be closed.
        self._answer(question, "invalid")
        self.close()
        return [ServerStreamEnded(is_clean=True)]

    # The header.

    def _opened(self, event: StreamOpened) -> list[Event]:
        to, remote = domain_of(event.attrs.get("to")), domain_of(event.attrs.get("from"))
        self._to = event.attrs.get("from", "") if remote else ""
        if not to or not self._config.domains(to):
            # RFC 6120 §4.9.3.6
            raise StreamError(StreamCondition.HOST_UNKNOWN, "this host is not served here")
        if self.local not in ("", to) or (self._is_authenticated and remote not in {"", self.remote}):
            raise StreamError(StreamCondition.BAD_FORMAT, "other addresses than before")
        if "from" in event.attrs and not remote:
            raise StreamError(StreamCondition.IMPROPER_ADDRESSING, "the header comes from no domain")
        self._check_foreign(remote)
        self.local, self.remote = to, remote or self.remote
        if not is_supported_version(event.attrs.get("version", "")):
            raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "version 1.0 is required")
        self._offers = self._offers_for(to, self.remote)
        self._send_open()
        self._out.append(self._features())
        if not self._is_authenticated:
            self.state = ServerStreamState.NEGOTIATING
            return []
        self.state = ServerStreamState.ESTABLISHED
        return [Authenticated(self.remote, "external")]

    def _check_foreign(self, domain: str) -> None:
        if domain and self._config.domains(domain):
            raise StreamError(StreamCondition.INVALID_FROM, "that domain is served here")

    def _send_open(self) -> None:
        self.id = self._stream_ids()
        # RFC 6120 §4.7.4: the answering header names a language, that of texts in errors. The one of a stream of ours
        # names none: it would hold for stanzas whose authors gave none.
        attrs = {"from": self.local or self._config.primary_domain, "to": self._to, "id": self.id, "xml:lang": "en"}
        self._out.append(self._header_bytes(attrs))
        self._is_open_sent = True

    def _features(self) -> bytes:
        parts: list[bytes] = []
        if not self.is_secure:
            required = [xml("required", None)] if self._config.is_tls_required else []
            parts.append(xml("starttls", {"xmlns": ns.NS_TLS}, *required))
        if self._is_negotiable and not self._is_authenticated and self._offers.external:
            mechanism = xml("mechanism", None, "EXTERNAL")
            parts.append(xml("mechanisms", {"xmlns": ns.NS_SASL}, mechanism))
        if not self._is_authenticated:
            # XEP-0288 §2.1: both before and after TLS; taken only behind it.
            parts.append(xml("bidi", {"xmlns": ns.NS_BIDI_FEATURE}))
        if self._is_negotiable and self._offers.dialback:
            # Also behind SASL: further domains may join the stream (XEP-0220 §2.6).
            parts.append(xml("dialback", {"xmlns": ns.NS_DIALBACK_FEATURE}, xml("errors", None)))
        if self._is_authenticated or (self._is_negotiable and self._offers.dialback):
            parts.append(xml("sm", {"xmlns": ns.NS_SM}))
        if self._is_authenticated:
            most = xml("max-bytes", None, str(self._config.authenticated_limits.max_stanza_bytes))
            parts.append(xml("limits", {"xmlns": ns.NS_STREAM_LIMITS}, most))
        return xml("stream:features", None, *parts)

    @property
    def _is_negotiable(self) -> bool:
        return self.is_secure or not self._config.is_tls_required

    # Elements.

    def _negotiation(self, element: Element) -> list[Event]:
        key = (element.namespace, element.name)
        if key == (ns.NS_TLS, "starttls"):
            if self.is_secure:
                self._out += (xml("failure", {"xmlns": ns.NS_TLS}), b"</stream:stream>")
                self.state = ServerStreamState.CLOSED
                return [ServerStreamEnded(is_clean=False)]
            self._out.append(xml("proceed", {"xmlns": ns.NS_TLS}))
            self.state = ServerStreamState.SECURING
            return [TlsWanted()]
        if key == (ns.NS_SASL, "auth"):
            return self._auth(element)
        if key == (ns.NS_BIDI, "bidi") and self._is_negotiable:
            self.is_bidi = True
            return []
        # RFC 6120 §4.9.3.12
        return self.fail(StreamCondition.NOT_AUTHORIZED, "prove who you are first")

    def _auth(self, element: Element) -> list[Event]:
        if not self._is_negotiable:
            return self._refuse(SASLCondition.ENCRYPTION_REQUIRED)
        if element.attrs.get("mechanism") != "EXTERNAL" or not self._offers.external:
            return self._refuse(SASLCondition.INVALID_MECHANISM)
        try:
            identity = decode_payload((element.tree().text or "").strip() or "=").decode()
        except (SASLError, UnicodeDecodeError):
            return self._refuse(SASLCondition.INCORRECT_ENCODING)
        # XEP-0178 §3: without an identity the one of the header holds.
        domain = domain_of(identity) if identity else self.remote
        if not domain:
            return self._refuse(SASLCondition.INVALID_AUTHZID)
        if domain != self.remote:
            # XEP-0178 §3, step 11: not a name that the certificate was offered EXTERNAL for.
            return self._refuse(SASLCondition.NOT_AUTHORIZED)
        self._out.append(xml("success", {"xmlns": ns.NS_SASL}))
        self._is_authenticated = True
        self.remotes.add(domain)
        self._asked.clear()
        self._restart()
        return []

    def _refuse(self, condition: SASLCondition) -> list[Event]:
        # XEP-0178 §3: the stream is of no use then; RFC 6120 §6.4.5 lets the peer try again, which would end the same.
        self._out += (sasl_failure(condition), b"</stream:stream>")
        self.state = ServerStreamState.CLOSED
        return [ServerStreamEnded(is_clean=False, text=f"SASL: {condition.value}")]

    def _dialback(self, dialback: Dialback) -> list[Event]:
        if dialback.type:
            raise StreamError(StreamCondition.BAD_FORMAT, "an answer to what was not asked")
        if not self._is_negotiable:
            # XEP-0220 §2.5: TLS first; the stream goes on, so that it may come.
            self._answer(dialback, "error", StanzaCondition.POLICY_VIOLATION)
            return []
        if dialback.name == "verify":
            self._vouch(dialback)
            return []
        self._check_foreign(dialback.sender)
        refusal = self._dialback_refusal(dialback)
        if refusal is not None:
            self._answer(dialback, "error", refusal)
            return []
        self._asked.add((dialback.sender, dialback.to))
        return [DialbackAsked(dialback)]

    def _dialback_refusal(self, question: Dialback) -> StanzaCondition | None:
        if not self._config.domains(question.to):
            return StanzaCondition.ITEM_NOT_FOUND
        try:
            is_welcome = self._offers_for(question.to, question.sender).dialback
        except StreamError:
            # The domains that share the stream are not to suffer for one that is not welcome.
            is_welcome = False
        if not is_welcome:
            return StanzaCondition.NOT_ALLOWED
        return StanzaCondition.RESOURCE_CONSTRAINT if len(self._asked) >= _MOST_DIALBACKS else None
