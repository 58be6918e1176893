"""Whom to count as one when peers are limited by their address."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

_IPV6_PREFIX: Final = 64


@lru_cache(maxsize=4096)
def network_of(peer: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 that whoever has one IPv6 address usually has all of.

    Args:
        peer: a network address as text; anything else is returned as it is.
    """
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
