"""What operators can do about push registrations: look at them, and try the chain to each push service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from parley.app import requests

if TYPE_CHECKING:
    from parley.app.requests import Document
    from parley.domain.accounts import Account
    from parley.domain.push import PushStore, Registration
    from parley.edges.xmpp.delivery.push import Outcome


class PushLive(Protocol):
    """What a running server can do about push registrations."""

    async def push(self, account: Account) -> Sequence[Outcome]:
        """Wake all devices of an account and wait for the answers of their services; empty without a server."""
        ...


class Pushing:
    """Answers requests about push registrations.

    Args:
        push: the registrations.
        live: sends notifications.
        find: the account of an address as somebody wrote it; raises NotFound.
    """

    def __init__(self, push: PushStore, live: PushLive, find: Callable[[str], Awaitable[Account]]) -> None:
        self._push = push
        self._live = live
        self._find = find
        self.handlers: dict[type[Any], Callable[[Any], Awaitable[Document]]] = {
            requests.ListPush: self._list,
            requests.TestPush: self._test,
        }

    async def _list(self, request: requests.ListPush) -> Document:
        account = await self._find(request.address)
        registrations = [_registration(each) for each in await self._push.all(account.id)]
        return {"address": account.address, "registrations": registrations}

    async def _test(self, request: requests.TestPush) -> Document:
        account = await self._find(request.address)
        count = len(await self._push.all(account.id))
        outcomes = await self._live.push(account)
        return {
            "address": account.address,
            "registrations": count,
            "is_served": not count or bool(outcomes),
            "notifications": [
                {**_registration(each.registration), "problem": each.problem, "took_s": round(each.took_s, 3)}
                for each in outcomes
            ],
        }


def _registration(registration: Registration) -> Document:
    return {
        "device": registration.resource,
        "service": registration.service,
        "node": registration.node,
        "created_at": _stamp(registration.created_at),
        "last_ok_at": _stamp(registration.last_ok_at) if registration.last_ok_at else None,
        "last_error": registration.last_error,
        "is_resting": registration.is_resting,
    }


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds")
