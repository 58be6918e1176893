"""How the domain's words are written in columns. Stored codes never change their meaning."""

from __future__ import annotations

import uuid
from typing import Any

from parley.domain.accounts import Account, Credential
from parley.domain.messages import Confidentiality, Direction, StoredMessage

Row = tuple[Any, ...]
"""What SQLite hands out; the mapping functions of each module give it types."""

CONFIDENTIALITY_CODE = {Confidentiality.MANAGED: 0, Confidentiality.SEALED_ARCHIVE: 1, Confidentiality.SEALED: 2}
CONFIDENTIALITY_OF = {code: word for word, code in CONFIDENTIALITY_CODE.items()}
DIRECTION_CODE = {Direction.IN: 0, Direction.OUT: 1}
DIRECTION_OF = (Direction.IN, Direction.OUT)


def id_to_blob(text: str) -> bytes:
    """The 16 bytes of a message id. Raises ValueError for what is no UUID in its 36-character form."""
    blob = bytes.fromhex(text.replace("-", ""))
    if len(blob) != 16 or len(text) != 36:
        raise ValueError("not a UUID in canonical form")
    return blob


def blob_to_id(blob: bytes) -> str:
    """The 36-character form of a message id."""
    return str(uuid.UUID(bytes=blob))


def account_from(row: Row) -> Account:
    """From id, address, created_at, is_suspended."""
    return Account(row[0], row[1], row[2], bool(row[3]))


def credential_from(row: Row) -> Credential:
    """From mechanism, salt, iterations, stored_key, server_key."""
    return Credential(*row)


def credential_row(credential: Credential) -> Row:
    """The columns that `credential_from` reads."""
    return (
        credential.mechanism,
        credential.salt,
        credential.iterations,
        credential.stored_key,
        credential.server_key,
    )


def message_from(row: Row) -> StoredMessage:
    """From seq, id, received_at, sender, recipient, peer, direction, confidentiality, content, is_archived."""
    return StoredMessage(
        seq=row[0],
        id=blob_to_id(row[1]),
        received_at=row[2],
        sender=row[3],
        recipient=row[4],
        peer=row[5],
        direction=DIRECTION_OF[row[6]],
        confidentiality=CONFIDENTIALITY_OF[row[7]],
        content=row[8],
        is_archived=bool(row[9]),
    )
