"""Tokens in memory."""

from __future__ import annotations

from dataclasses import replace

from parley.domain.tokens import Token
from parley.storage.memory.state import Tables


class MemoryTokens:
    """Tokens; see the port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, address: str, client: bytes) -> list[Token]:
        """The tokens of an installation, the newest first."""
        table = self._tables.by_address(address)
        found = [] if table is None else [token for token in table.tokens if token.client == client]
        return sorted(found, key=lambda token: (token.is_used, -token.created_at))

    async def issue(self, token: Token) -> bool:
        """Keep a new token; see the port."""
        table = self._tables.accounts.get(token.account_id)
        if table is None:
            return False
        table.tokens = [each for each in table.tokens if each.client != token.client or each.is_used]
        is_known = any(device.client == token.client for device in table.devices.values())
        if is_known:
            table.tokens.append(token)
        return is_known

    async def use(self, token: Token, count: int | None) -> bool:
        """The installation has signed in with a token; see the port."""
        table = self._tables.accounts.get(token.account_id)
        kept = [] if table is None else [each for each in table.tokens if _key(each) == _key(token)]
        if table is None or not kept or (count is not None and count <= kept[0].count):
            return False
        used = replace(kept[0], is_used=True, count=kept[0].count if count is None else count)
        others = [each for each in table.tokens if _key(each) != _key(token)]
        table.tokens = [each for each in others if not _is_older(each, token)]
        table.tokens.append(used)
        return True

    async def forget(self, account_id: int, client: bytes) -> None:
        """Forget the tokens of an installation."""
        table = self._tables.accounts.get(account_id)
        if table is not None:
            table.tokens = [token for token in table.tokens if token.client != client]


def _key(token: Token) -> tuple[bytes, bytes]:
    return token.client, token.nonce


def _is_older(token: Token, used: Token) -> bool:
    return token.client == used.client and (token.is_used or token.expires_at < used.expires_at)
