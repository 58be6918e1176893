"""The domain's refusals in the words of RFC 6120 §8.3.3."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from parley.domain.errors import DomainError, StorageFull, StorageUnavailable
from parley.protocols.xmpp.errors import JIDError, PayloadError, RemoteProtocolError, StanzaCondition, StanzaError

_BY_CODE: Final = MappingProxyType(
    {
        "roster-full": (StanzaCondition.RESOURCE_CONSTRAINT, "the roster is full"),
        "too-many-affiliations": (StanzaCondition.RESOURCE_CONSTRAINT, "too many affiliations"),
        "too-many-targets": (StanzaCondition.RESOURCE_CONSTRAINT, "too many devices"),
        "too-many-registrations": (StanzaCondition.RESOURCE_CONSTRAINT, "too many push registrations"),
        "too-many-nodes": (StanzaCondition.RESOURCE_CONSTRAINT, "too many nodes"),
        "too-many-blocked": (StanzaCondition.RESOURCE_CONSTRAINT, "too many addresses are blocked"),
        "private-storage-full": (StanzaCondition.RESOURCE_CONSTRAINT, "there is no room for more private data"),
        "node-exists": (StanzaCondition.CONFLICT, "the node exists"),
        "node-not-found": (StanzaCondition.ITEM_NOT_FOUND, ""),
        "item-not-found": (StanzaCondition.ITEM_NOT_FOUND, ""),
        "confidentiality-lowered": (StanzaCondition.POLICY_VIOLATION, "this conversation is sealed"),
        "account-exists": (StanzaCondition.CONFLICT, "the name is taken"),
        "account-not-found": (StanzaCondition.ITEM_NOT_FOUND, "there is no such account"),
        "address-foreign": (StanzaCondition.NOT_ACCEPTABLE, "accounts are in the domains of this server"),
        "address-malformed": (StanzaCondition.NOT_ACCEPTABLE, "this is no address of an account"),
        "address-reserved": (StanzaCondition.CONFLICT, "the name is kept for somebody"),
        "invitation-not-found": (StanzaCondition.ITEM_NOT_FOUND, "the invitation is invalid or over"),
        "password-unusable": (StanzaCondition.NOT_ACCEPTABLE, "this password cannot be used"),
        "registration-closed": (StanzaCondition.NOT_ALLOWED, "nobody may open an account from a client"),
        "too-many-invitations": (StanzaCondition.RESOURCE_CONSTRAINT, "too many open invitations"),
        "storage-full": (StanzaCondition.RESOURCE_CONSTRAINT, "the server has no room to store this"),
        "storage-unavailable": (StanzaCondition.RESOURCE_CONSTRAINT, "the server cannot store this now"),
    }
)


def stanza_error(error: DomainError | RemoteProtocolError) -> StanzaError:
    """What a client is told about an error of another layer."""
    if isinstance(error, StanzaError):
        return error
    if isinstance(error, JIDError):
        return StanzaError(StanzaCondition.JID_MALFORMED, str(error))
    if isinstance(error, PayloadError):
        return StanzaError(StanzaCondition.BAD_REQUEST, str(error))
    if isinstance(error, RemoteProtocolError):
        return StanzaError(StanzaCondition.BAD_REQUEST)
    code = error.code
    if isinstance(error, StorageUnavailable):
        code = "storage-full" if isinstance(error, StorageFull) else "storage-unavailable"
    condition, text = _BY_CODE.get(code, (StanzaCondition.NOT_ALLOWED, ""))
    return StanzaError(condition, text)
