"""What goes wrong in XMPP, as exceptions and as the bytes that tell the peer.

    XMPPError
    |-- LocalProtocolError       our own code broke a rule (a bug, never the peer's doing)
    `-- RemoteProtocolError      the peer sent something that cannot be used
        |-- JIDError             not an address                                            RFC 7622 §3
        |-- PayloadError         a payload that does not fit its schema                    (answer: bad-request)
        |-- StanzaError          a stanza to be answered with an error                     RFC 6120 §8.3
        |-- StreamError          ends the stream                                           RFC 6120 §4.9
        |   `-- HandledCountTooHigh  acknowledged more than was sent                       XEP-0198 §4
        `-- SASLError            ends one try to authenticate                              RFC 6120 §6.5
            `-- ScramError       with the reason that SCRAM has a name for                 RFC 5802 §7

`code` is stable; a condition of the RFC is its own code. Texts are for people and logs.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.namespaces import NS_SASL, NS_SM, NS_STANZAS, NS_STREAM_ERRORS, NS_STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parley.protocols.xmpp.element import Element


class StreamCondition(StrEnum):
    """Conditions that end a stream (RFC 6120 §4.9.3)."""

    BAD_FORMAT = "bad-format"
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix"
    CONFLICT = "conflict"
    CONNECTION_TIMEOUT = "connection-timeout"
    HOST_GONE = "host-gone"
    HOST_UNKNOWN = "host-unknown"
    IMPROPER_ADDRESSING = "improper-addressing"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    INVALID_FROM = "invalid-from"
    INVALID_NAMESPACE = "invalid-namespace"
    INVALID_XML = "invalid-xml"
    NOT_AUTHORIZED = "not-authorized"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    REMOTE_CONNECTION_FAILED = "remote-connection-failed"
    RESET = "reset"
    RESOURCE_CONSTRAINT = "resource-constraint"
    RESTRICTED_XML = "restricted-xml"
    SEE_OTHER_HOST = "see-other-host"
    SYSTEM_SHUTDOWN = "system-shutdown"
    UNDEFINED_CONDITION = "undefined-condition"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_FEATURE = "unsupported-feature"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class StanzaCondition(StrEnum):
    """Conditions of a stanza error (RFC 6120 §8.3.3)."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RECIPIENT_UNAVAILABLE = "recipient-unavailable"
    REDIRECT = "redirect"
    REGISTRATION_REQUIRED = "registration-required"
    REMOTE_SERVER_NOT_FOUND = "remote-server-not-found"
    REMOTE_SERVER_TIMEOUT = "remote-server-timeout"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    SUBSCRIPTION_REQUIRED = "subscription-required"
    UNDEFINED_CONDITION = "undefined-condition"
    UNEXPECTED_REQUEST = "unexpected-request"


class StanzaErrorType(StrEnum):
    """What the sender may do about a stanza error (RFC 6120 §8.3.2)."""

    AUTH = "auth"
    CANCEL = "cancel"
    CONTINUE = "continue"
    MODIFY = "modify"
    WAIT = "wait"


class SASLCondition(StrEnum):
    """Why authentication failed (RFC 6120 §6.5)."""

    ABORTED = "aborted"
    ACCOUNT_DISABLED = "account-disabled"
    CREDENTIALS_EXPIRED = "credentials-expired"
    ENCRYPTION_REQUIRED = "encryption-required"
    INCORRECT_ENCODING = "incorrect-encoding"
    INVALID_AUTHZID = "invalid-authzid"
    INVALID_MECHANISM = "invalid-mechanism"
    MALFORMED_REQUEST = "malformed-request"
    MECHANISM_TOO_WEAK = "mechanism-too-weak"
    NOT_AUTHORIZED = "not-authorized"
    TEMPORARY_AUTH_FAILURE = "temporary-auth-failure"


_Type = StanzaErrorType
_Condition = StanzaCondition

# The type each condition SHOULD have (RFC 6120 §8.3.3) and the number that older clients look at (XEP-0086 §3).
_DEFAULTS: Final[Mapping[StanzaCondition, tuple[StanzaErrorType, str | None]]] = MappingProxyType(
    {
        _Condition.BAD_REQUEST: (_Type.MODIFY, "400"),
        _Condition.CONFLICT: (_Type.CANCEL, "409"),
        _Condition.FEATURE_NOT_IMPLEMENTED: (_Type.CANCEL, "501"),
        _Condition.FORBIDDEN: (_Type.AUTH, "403"),
        _Condition.GONE: (_Type.CANCEL, "302"),
        _Condition.INTERNAL_SERVER_ERROR: (_Type.CANCEL, "500"),
        _Condition.ITEM_NOT_FOUND: (_Type.CANCEL, "404"),
        _Condition.JID_MALFORMED: (_Type.MODIFY, "400"),
        _Condition.NOT_ACCEPTABLE: (_Type.MODIFY, "406"),
        _Condition.NOT_ALLOWED: (_Type.CANCEL, "405"),
        _Condition.NOT_AUTHORIZED: (_Type.AUTH, "401"),
        _Condition.POLICY_VIOLATION: (_Type.MODIFY, None),
        _Condition.RECIPIENT_UNAVAILABLE: (_Type.WAIT, "404"),
        _Condition.REDIRECT: (_Type.MODIFY, "302"),
        _Condition.REGISTRATION_REQUIRED: (_Type.AUTH, "407"),
        _Condition.REMOTE_SERVER_NOT_FOUND: (_Type.CANCEL, "404"),
        _Condition.REMOTE_SERVER_TIMEOUT: (_Type.WAIT, "504"),
        _Condition.RESOURCE_CONSTRAINT: (_Type.WAIT, "500"),
        _Condition.SERVICE_UNAVAILABLE: (_Type.CANCEL, "503"),
        _Condition.SUBSCRIPTION_REQUIRED: (_Type.AUTH, "407"),
        _Condition.UNDEFINED_CONDITION: (_Type.CANCEL, "500"),
        _Condition.UNEXPECTED_REQUEST: (_Type.WAIT, "400"),
    }
)


class XMPPError(Exception):
    """Root of what this package raises."""

    code = "xmpp-error"


class LocalProtocolError(XMPPError):
    """Our own side asked for something that the protocol forbids."""

    code = "local-protocol-error"


class RemoteProtocolError(XMPPError):
    """The peer sent something that cannot be used."""

    code = "remote-protocol-error"


class JIDError(RemoteProtocolError):
    """A text that is not an address (RFC 7622)."""

    code = "jid-malformed"


class PayloadError(RemoteProtocolError):
    """A well-formed payload that does not fit its schema."""

    code = "bad-request"


class StanzaError(RemoteProtocolError):
    """A stanza that is to be answered with an error.

    Args:
        condition: the defined condition.
        text: for people, in English; sent to the peer, so it names nothing internal.
        type: what the sender may do; None for the default of the condition.
        application: one XML element that says more, in a namespace of its own.
        alternate: for `gone` and `redirect`, the new address as a URI.
        by: the address of who noticed, where that is to be said; "" for nobody (RFC 6120 §8.3.2).
    """

    def __init__(
        self,
        condition: StanzaCondition,
        text: str = "",
        *,
        type: StanzaErrorType | None = None,  # noqa: A002 - the attribute's name in RFC 6120
        application: bytes = b"",
        alternate: str = "",
        by: str = "",
    ) -> None:
        super().__init__(text or condition.value)
        self.code = condition.value
        self.condition = condition
        self.text = text
        self.type = type or _DEFAULTS[condition][0]
        self.application = application
        self.alternate = alternate
        self.by = by

    def to_bytes(self, by: str | None = None) -> bytes:
        """The `<error/>` child (RFC 6120 §8.3.2); `by` is the address of who noticed, when the error has none."""
        attrs = {"type": self.type.value, "code": _DEFAULTS[self.condition][1], "by": self.by or by}
        children = [xml(self.condition.value, {"xmlns": NS_STANZAS}, self.alternate)]
        if self.text:
            children.append(xml("text", {"xmlns": NS_STANZAS, "xml:lang": "en"}, self.text))
        return xml("error", attrs, *children, self.application)


class StreamError(RemoteProtocolError):
    """A reason to end the stream; arguments as for `stream_error`."""

    def __init__(self, condition: StreamCondition, text: str = "", *, application: bytes = b"") -> None:
        super().__init__(text or condition.value)
        self.code = condition.value
        self.condition = condition
        self.text = text
        self.application = application

    def to_bytes(self) -> bytes:
        """The `<stream:error/>` element."""
        return stream_error(self.condition, self.text, application=self.application)


class HandledCountTooHigh(StreamError):
    """The peer acknowledged more stanzas than it was sent (XEP-0198 §4).

    Args:
        h: what it claims to have handled.
        send_count: how many it was sent.
    """

    def __init__(self, h: int, send_count: int) -> None:
        attrs = {"xmlns": NS_SM, "h": str(h), "send-count": str(send_count)}
        text = f"{h} stanzas acknowledged, {send_count} sent"
        application = xml("handled-count-too-high", attrs)
        super().__init__(StreamCondition.UNDEFINED_CONDITION, text, application=application)
        self.code = "handled-count-too-high"


class SASLError(RemoteProtocolError):
    """The end of one try to authenticate."""

    def __init__(self, condition: SASLCondition, text: str = "") -> None:
        super().__init__(text or condition.value)
        self.code = condition.value
        self.condition = condition
        self.text = text

    def to_bytes(self) -> bytes:
        """The `<failure/>` element."""
        return sasl_failure(self.condition, self.text)


class ScramError(SASLError):
    """The end of one exchange of SCRAM.

    Args:
        condition: as for `SASLError`.
        reason: the server-error-value of RFC 5802 §7, for example `channel-bindings-dont-match`.
        text: for people, in English.
    """

    def __init__(self, condition: SASLCondition, reason: str, text: str = "") -> None:
        super().__init__(condition, text)
        self.code = reason


def stream_error(condition: StreamCondition, text: str = "", *, application: bytes = b"", alternate: str = "") -> bytes:
    """A `<stream:error/>` (RFC 6120 §4.9.2), valid inside a stream and as a frame of its own.

    Args:
        condition: the defined condition.
        text: for people, in English.
        application: one XML element that says more, in a namespace of its own.
        alternate: for `see-other-host`, the other host.
    """
    children = [xml(condition.value, {"xmlns": NS_STREAM_ERRORS}, alternate)]
    if text:
        children.append(xml("text", {"xmlns": NS_STREAM_ERRORS, "xml:lang": "en"}, text))
    # RFC 7395 §3.3.3: a frame has no parent, so it declares its prefix itself; in a stream that is allowed too.
    return xml("stream:error", {"xmlns:stream": NS_STREAMS}, *children, application)


def sasl_failure(condition: SASLCondition, text: str = "") -> bytes:
    """A SASL `<failure/>` (RFC 6120 §6.4.5)."""
    children = [xml(condition.value)]
    if text:
        children.append(xml("text", {"xml:lang": "en"}, text))
    return xml("failure", {"xmlns": NS_SASL}, *children)


def may_be_answered(element: Element) -> bool:
    """Whether a stanza may be answered with an error (RFC 6120 §8.2.3, §8.3.1: never an error or a result)."""
    if element.name == "iq":
        # One of no known type is answered too: RFC 6120 §8.2.3 demands bad-request.
        return element.type not in {"result", "error"}
    return element.type != "error"


def error_reply(element: Element, error: StanzaError, from_: str | None = None) -> bytes:
    """The error stanza that answers `element`, without its payload.

    Args:
        element: the stanza to answer.
        error: what is wrong.
        from_: the address that answers; None for the one that was asked (the stanza's `to`).

    Raises:
        LocalProtocolError: the stanza may not be answered; `may_be_answered` tells before.
    """
    if not may_be_answered(element):
        raise LocalProtocolError(f"an error answers {element.name} of type {element.type}")
    attrs = {"type": "error", "id": element.id, "from": from_ or element.to, "to": element.from_}
    return xml(element.name, attrs, error.to_bytes())
