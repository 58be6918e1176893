"""Errors of HTTP's header syntax.

HeaderError            a header's value is not what its specification says; `header` names it
"""

from __future__ import annotations

from parley.base.errors import ParleyError


class HeaderError(ParleyError):
    """A header's value is malformed.

    Args:
        header: the header's name as written in its specification.
        message: what is wrong, for the log; never holds the value itself.
    """

    def __init__(self, header: str, message: str) -> None:
        super().__init__("header-malformed", f"{header}: {message}")
        self.header = header
