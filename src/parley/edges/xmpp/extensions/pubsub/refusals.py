"""Errors of publish-subscribe: a condition of RFC 6120 with one of XEP-0060 beside it."""

from __future__ import annotations

from parley.domain.pubsub.rules import Denial
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, StanzaErrorType
from parley.protocols.xmpp.namespaces import NS_PUBSUB_ERRORS


def refusal(
    condition: StanzaCondition, reason: str, text: str = "", *, kind: StanzaErrorType | None = None
) -> StanzaError:
    """An error whose application condition is `reason`, such as `closed-node`."""
    return StanzaError(condition, text, type=kind, application=xml(reason, {"xmlns": NS_PUBSUB_ERRORS}))


def unsupported(feature: str) -> StanzaError:
    """The answer to what is not offered (XEP-0060 §5.6 and others); `feature` as the specification names it."""
    application = xml("unsupported", {"xmlns": NS_PUBSUB_ERRORS, "feature": feature})
    return StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, application=application)


def precondition_not_met(text: str = "") -> StanzaError:
    """The node is not as the publish options want it (XEP-0060 §7.1.5)."""
    return refusal(StanzaCondition.CONFLICT, "precondition-not-met", text)


def not_subscribed(kind: StanzaErrorType) -> StanzaError:
    """Nobody is subscribed with that address (§6.2.3.2: type cancel, §6.3.4.2: modify)."""
    return refusal(StanzaCondition.UNEXPECTED_REQUEST, "not-subscribed", kind=kind)


def too_many_subscriptions() -> StanzaError:
    """A bound of the node is reached (§6.1.3.9)."""
    return refusal(StanzaCondition.POLICY_VIOLATION, "too-many-subscriptions", kind=StanzaErrorType.WAIT)


def denied(denial: Denial) -> StanzaError:
    """Why somebody may not subscribe or read (§6.1.3, §6.5.9)."""
    if denial is Denial.BLOCKED:
        return StanzaError(StanzaCondition.FORBIDDEN)
    if denial is Denial.NO_SUBSCRIPTIONS:
        return unsupported("subscribe")
    if denial is Denial.CLOSED_NODE:
        return refusal(StanzaCondition.NOT_ALLOWED, denial.value)
    return refusal(StanzaCondition.NOT_AUTHORIZED, denial.value)
