"""Sockets to listen at."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Any

_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listen at every address of a host, without blocking.

    Args:
        host: an address without brackets, or `localhost`.
        port: 0 lets the system choose.
        backlog: connections that wait to be accepted.

    Raises:
        OSError: one of the addresses cannot be listened at, or this machine has none of them.
    """
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with contextlib.suppress(_Absent):
                sockets.append(_listen(family, address, backlog))
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address")
    return sockets


class _Absent(OSError):
    """This machine has no such address: `localhost` names one of IPv6 also where there is no IPv6."""


def _listen(family: int, address: Any, backlog: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind(address)
        bound.listen(backlog)
    except OSError as error:
        bound.close()
        if error.errno in _ABSENT:
            raise _Absent(*error.args) from error
        raise
    return bound
