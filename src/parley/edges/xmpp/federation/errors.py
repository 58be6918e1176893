"""What goes wrong on the way to other servers.

ParleyError
└── FederationError
    └── Unreachable     a partner has no stream with us now; the code says why
"""

from __future__ import annotations

from typing import Final

from parley.base.errors import ParleyError
from parley.protocols.xmpp.dialback import REMOTE_CONNECTION_FAILED
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, StanzaErrorType

_NO_CONNECTION: Final = frozenset({"dns-failed", "dns-no-service", "connection-failed"})


class FederationError(ParleyError):
    """Root of what this package raises."""


class Unreachable(FederationError):
    """No stream to a partner came about.

    Args:
        code: `dns-failed`, `dns-no-service`, `connection-failed`, `tls-failed`, `certificate-untrusted`,
            `certificate-wrong-name`, `certificate-refused`, `not-authenticated`, `dialback-refused`, `host-unknown`,
            `stream-failed`, `timeout`, or the rule of a policy.
        message: for the operator.
        condition: what senders are told.
        is_final: waiting will not help: what is kept for the partner goes back as well.
        text: more for the sender.
    """

    def __init__(
        self,
        code: str,
        message: str,
        condition: StanzaCondition = StanzaCondition.REMOTE_SERVER_TIMEOUT,
        *,
        is_final: bool = False,
        text: str = "",
    ) -> None:
        super().__init__(code, message)
        self.condition = condition
        self.is_final = is_final
        self.text = text

    def told(self) -> StanzaError:
        """What the sender of a stanza is told."""
        is_lasting = self.is_final and self.condition is StanzaCondition.REMOTE_SERVER_TIMEOUT
        # RFC 6120 §8.3.3.17: `wait`, unless it is of a more permanent nature.
        return StanzaError(self.condition, self.text, type=StanzaErrorType.CANCEL if is_lasting else None)

    def told_by_dialback(self) -> str:
        """The condition for a server that wants its name verified, when its domain's server could not be asked
        (XEP-0220 §2.5)."""
        if self.code in _NO_CONNECTION:
            return REMOTE_CONNECTION_FAILED
        if self.code.startswith("certificate-"):
            return StanzaCondition.NOT_AUTHORIZED
        return self.condition.value
