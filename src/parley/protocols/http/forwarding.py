"""Who stands behind a reverse proxy: `X-Forwarded-For`, believed only of proxies that are known."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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
