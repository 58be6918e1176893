"""What another server is told to serve, whichever program it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "secret"
C2S_PORT, S2S_PORT, HTTP_PORT = 15222, 15269, 15280


@dataclass(frozen=True, slots=True)
class ServedDomain:
    """A domain of a partner's server.

    Attributes:
        files: certificate and key that it shows for the domain.
        people: names of its accounts, all with `PASSWORD`.
        is_dialback: dialback may prove who others are, and who it is.
        has_services: there are rooms at `conference.` and uploads at `upload.` below it.
    """

    domain: str
    files: tuple[Path, Path]
    people: Sequence[str] = ()
    is_dialback: bool = False
    has_services: bool = False
