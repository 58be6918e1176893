"""SASL around the mechanisms: payload encoding (RFC 6120 §6.4), PLAIN (RFC 4616), preparing passwords (RFC 4013)."""

from __future__ import annotations

import base64
import binascii
import stringprep
import unicodedata
from dataclasses import dataclass
from typing import Final

from parley.protocols.xmpp.errors import PayloadError, SASLCondition, SASLError

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


@dataclass(frozen=True, slots=True)
class PlainCredentials:
    """What a PLAIN message says; nothing in it is prepared or checked yet. `authzid` is "" when absent."""

    authzid: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"PlainCredentials(authzid={self.authzid!r}, username={self.username!r})"


def decode_payload(text: str) -> bytes:
    """The bytes inside `<auth/>` or `<response/>`.

    Args:
        text: the element's text; "=" stands for an empty payload (RFC 6120 §6.4.2).

    Raises:
        SASLError: incorrect-encoding, for anything but canonical base64 without white space (RFC 6120 §13.9.1).
    """
    if text == "=":
        return b""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeError) as error:
        raise SASLError(SASLCondition.INCORRECT_ENCODING, "the payload is not base64") from error
    # RFC 4648 §3.5: bits that the last character has left over could say the same thing in several ways.
    if base64.b64encode(data) != text.encode("ascii"):
        raise SASLError(SASLCondition.INCORRECT_ENCODING, "the payload is not canonical base64")
    return data


def encode_payload(data: bytes) -> str:
    """`data` as the text of `<challenge/>` or `<success/>`."""
    return base64.b64encode(data).decode() or "="


def parse_plain(data: bytes) -> PlainCredentials:
    """The message of PLAIN (RFC 4616 §2).

    Raises:
        SASLError: malformed-request.
    """
    parts = data.split(b"\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "PLAIN needs a user name and a password")
    try:
        return PlainCredentials(*(part.decode() for part in parts))
    except UnicodeDecodeError as error:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "PLAIN must be UTF-8") from error


def prepare_password(password: str) -> str:
    """The form of a password that goes into a key derivation (SASLprep, RFC 4013).

    RFC 5802 §2.2 demands SASLprep of SCRAM's clients, so this is what their side of a derivation uses. Code points
    that Unicode 3.2 did not know are let through, as RFC 4013 does for queries: people have emoji in their passwords.

    Raises:
        PayloadError: the password is empty or holds what SASLprep prohibits.
    """
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared or any(prohibits(c) for c in prepared for prohibits in _PROHIBITED):
        raise PayloadError("the password is empty or holds characters that passwords may not have")
    # RFC 3454 §6: text that runs from right to left begins and ends so, and has nothing of the other direction in it.
    if any(map(stringprep.in_table_d1, prepared)):
        is_mixed = any(map(stringprep.in_table_d2, prepared))
        if is_mixed or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])):
            raise PayloadError("the password mixes directions of writing")
    return prepared
