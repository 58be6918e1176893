"""Which authorities this machine trusts."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from pathlib import Path
from typing import Final

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def trusted_digests(ca_file: Path | None) -> frozenset[bytes]:
    """SHA-256 of the certificates (DER) that TLS trusts by default here, and of those in `ca_file`.

    What cannot be read is left out: nobody trusts it either.
    """
    paths = ssl.get_default_verify_paths()
    files = [Path(path) for path in (paths.cafile, ca_file) if path is not None]
    for folder in (paths.capath or "").split(os.pathsep):
        if folder and Path(folder).is_dir():
            files += [path for path in Path(folder).iterdir() if path.is_file()]
    return frozenset(digest for path in files for digest in _digests(path))


def certificates(text: str) -> list[bytes]:
    """The certificates (DER) in a PEM text; raises ValueError for one whose encoding is broken."""
    return [ssl.PEM_cert_to_DER_cert(block) for block in _PEM.findall(text)]


def _digests(path: Path) -> list[bytes]:
    try:
        return [hashlib.sha256(each).digest() for each in certificates(path.read_text("ascii"))]
    except (OSError, ValueError):
        return []
