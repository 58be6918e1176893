"""Who stands behind a reverse proxy, and how they reached it: believed only of proxies that are known."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: Final[Sequence[Network]] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_ENCRYPTED: Final = frozenset({"https", "wss"})


def is_among(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address belongs to one of the networks; False for what is no address.

    An IPv4 address is the same when an IPv6 socket shows it (`::ffff:192.0.2.1`).
    """
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def client_of(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """Return the address of the client of a request.

    Args:
        peer: the address that the connection came from.
        forwarded_for: the request's `X-Forwarded-For`: each proxy appends whom it got the request from.
        trusted: proxies that say the truth.

    Returns:
        The last address that is not of a trusted proxy; what stands before it, anybody may have written.
    """
    client = peer
    for element in reversed((forwarded_for or "").split(",")):
        if not is_among(client, trusted):
            break
        address = _parse(_without_port(element.strip(" \t")))
        if address is None:
            break
        client = str(address)
    return client


def is_protected(scheme: str, peer: str, forwarded_proto: str | None, trusted: Sequence[Network]) -> bool:
    """Tell whether nobody on a network can read along with a request.

    Args:
        scheme: of the request as it came in here.
        peer: the address that the connection came from.
        forwarded_proto: the request's `X-Forwarded-Proto`.
        trusted: proxies that say the truth.

    Returns:
        True for TLS, for connections from this machine, and for those of a trusted proxy, unless it says that its
        client came without TLS.
    """
    if scheme in _ENCRYPTED:
        return True
    if not is_among(peer, trusted):
        return is_among(peer, _LOOPBACK)
    # The first: what the outermost proxy saw.
    proto = (forwarded_proto or "").partition(",")[0].strip(" \t").lower()
    return not proto or proto in _ENCRYPTED


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, _, port = text.partition(":")
    return host if port.isdigit() and text.count(":") == 1 else text
