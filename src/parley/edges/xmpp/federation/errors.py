"""What goes wrong on the way to other servers.

ParleyError
└── FederationError
    └── Unreachable     a partner has no stream with us now; the code says why
"""

from __future__ import annotations

from parley.base.errors import ParleyError
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError


class FederationError(ParleyError):
    """Root of what this package raises."""


class Unreachable(FederationError):
    """No stream to a partner came about.

    Args:
        code: `dns-failed`, `dns-no-service`, `connection-failed`, `tls-failed`, `certificate-untrusted`,
            `certificate-wrong-name`, `certificate-refused`, `not-authenticated`, `stream-failed`, `timeout`, or the
            rule of a policy.
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
        return StanzaError(self.condition, self.text)
