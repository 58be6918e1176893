"""Passwords: making them up, and turning them into what the server keeps."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from parley.domain.accounts import Credential
from parley.identity.sign_in import credentials_for

# No letter that looks like another one or like a digit: people type these on phones. 16 of 32 make 80 bits.
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 4

Progress = Callable[[int, int], None]
"""Is told how many of how many are done."""


def generate_password() -> str:
    """A password of 80 random bits that can be read out and typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def hash_passwords(passwords: Sequence[str], iterations: int, progress: Progress) -> list[tuple[Credential, ...]]:
    """Credentials for each password, in order. Uses every core: PBKDF2 runs without the interpreter's lock.

    Raises:
        PayloadError: a password is empty or holds characters that passwords may not have.
    """
    done: list[tuple[Credential, ...]] = []
    pool = ThreadPoolExecutor(os.cpu_count() or 1, "passwords")
    try:
        for credentials in pool.map(lambda each: credentials_for(each, iterations, secrets.token_bytes), passwords):
            done.append(credentials)
            progress(len(done), len(passwords))
    finally:
        pool.shutdown(cancel_futures=True)
    return done
