"""Whether an address can be listened at, found out by trying."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

from parley.base.config import ListenAddress


def is_free(address: ListenAddress) -> bool:
    """Whether this process could listen there now."""
    return obstacle(address) == ""


def obstacle(address: ListenAddress) -> str:
    """What keeps this process from listening there, in the system's words; "" for nothing."""
    reason = "this machine has no such address"
    try:
        places = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error.strerror or str(error)
    for family, kind, _, _, place in places:
        try:
            with closing(socket.socket(family, kind)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(place)
                probe.listen(1)
        except OSError as error:
            # `localhost` names an address of IPv6 also where there is none.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return error.strerror or str(error)
        else:
            reason = ""
    return reason
