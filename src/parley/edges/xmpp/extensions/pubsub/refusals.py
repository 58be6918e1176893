"""Errors of publish-subscribe: a condition of RFC 6120 with one of XEP-0060 beside it."""

from __future__ import annotations

from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_PUBSUB_ERRORS


def refusal(condition: StanzaCondition, reason: str, text: str = "") -> StanzaError:
    """An error whose application condition is `reason`, such as `closed-node`."""
    return StanzaError(condition, text, application=xml(reason, {"xmlns": NS_PUBSUB_ERRORS}))


def unsupported(feature: str) -> StanzaError:
    """The answer to what is not offered (XEP-0060 §5.6 and others); `feature` as the specification names it."""
    application = xml("unsupported", {"xmlns": NS_PUBSUB_ERRORS, "feature": feature})
    return StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, application=application)


def precondition_not_met(text: str = "") -> StanzaError:
    """The node is not as the publish options want it (XEP-0060 §7.1.5)."""
    return refusal(StanzaCondition.CONFLICT, "precondition-not-met", text)
