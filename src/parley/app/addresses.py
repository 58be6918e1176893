"""Addresses of accounts as operators type them."""

from __future__ import annotations

from collections.abc import Collection

from parley.app.errors import Unwilling
from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID

MALFORMED = "address-malformed"
FOREIGN = "address-foreign"


def parse_address(text: str) -> str:
    """Return an account's address in normal form (RFC 7622).

    Raises:
        Unwilling: `address-malformed`, when it is not `name@domain`.
    """
    try:
        jid = JID.parse(text.strip())
    except JIDError as error:
        raise Unwilling(MALFORMED, f"{text!r} is not an address: {error}") from error
    if not jid.local or jid.resource:
        raise Unwilling(MALFORMED, f"{text!r} is not an address of the form name@domain")
    return str(jid)


def parse_new_address(text: str, domains: Collection[str]) -> str:
    """Return the address, in normal form, of an account that is to be created.

    Raises:
        Unwilling: `address-malformed`, or `address-foreign` when its domain is not served here.
    """
    address = parse_address(text)
    domain = address.rpartition("@")[2]
    if domain not in domains:
        raise Unwilling(FOREIGN, f"{address}: {domain} is not served here, only {', '.join(domains)}")
    return address
