"""What operators can do about partners: agreements, their history, and what waits for whom."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from parley.app import requests
from parley.app.errors import Unwilling
from parley.base import log as logs
from parley.base.config.values import parse_domain
from parley.domain.errors import Conflict, NotFound
from parley.domain.partners.agreements import Action, Agreement, checked
from parley.domain.partners.decisions import Rule, time_rule
from parley.domain.partners.documents import from_document, to_document

if TYPE_CHECKING:
    from parley.app.requests import Document
    from parley.base.clock import Clock
    from parley.domain.partners.agreements import Change
    from parley.domain.partners.ports import OutgoingQueue, PartnerStore

log = logs.get(__name__)

_STATES: Final = {
    None: "in force",
    Rule.AGREEMENT_REVOKED: "revoked",
    Rule.AGREEMENT_NOT_STARTED: "not started",
    Rule.AGREEMENT_EXPIRED: "expired",
}


@dataclass(frozen=True, slots=True)
class PartnerState:
    """How many streams there are with a domain and those below it, and for how many seconds more it is cut off."""

    streams: int = 0
    cut_off_s: float = 0.0


class PartnersLive(Protocol):
    """What a running server does about agreements."""

    def partners_changed(self, agreements: Sequence[Agreement]) -> int:
        """From now on these hold; returns how many streams that ended at once."""
        ...

    def partner_state(self, domain: str) -> PartnerState:
        """How things are with a partner now."""
        ...


class Partnering:
    """Answers requests about partners.

    Args:
        partners: agreements.
        outgoing: what waits.
        clock: for the history.
        domains: ours, with which nobody makes agreements.
        live: what else a change means.
    """

    def __init__(
        self,
        partners: PartnerStore,
        outgoing: OutgoingQueue,
        clock: Clock,
        domains: Collection[str],
        live: PartnersLive,
    ) -> None:
        self._partners = partners
        self._outgoing = outgoing
        self._clock = clock
        self._domains = domains
        self._live = live
        self.handlers: dict[type[Any], Callable[[Any], Awaitable[Document]]] = {
            requests.ListPartners: self._list,
            requests.ShowPartner: self._show,
            requests.AddPartner: self._add,
            requests.ChangePartner: self._change,
            requests.RevokePartner: self._revoke,
            requests.PartnerLog: self._log,
        }

    async def _list(self, request: requests.ListPartners) -> Document:
        waiting = await self._waiting()
        agreements = await self._partners.all()
        known = {agreement.domain for agreement in agreements}
        others = [{"domain": domain, "waiting": count} for domain, count in waiting.items() if domain not in known]
        return {
            "partners": [self._with_state(each, waiting) for each in agreements],
            "waiting_for_others": others,
        }

    async def _show(self, request: requests.ShowPartner) -> Document:
        domain = self._domain(request.domain)
        found = next((each for each in await self._partners.all() if each.domain == domain), None)
        if found is None:
            raise NotFound("partner-not-found", f"there is no agreement with {domain}")
        return self._with_state(found, await self._waiting())

    async def _add(self, request: requests.AddPartner) -> Document:
        domain = self._domain(request.domain)

        def edit(old: Agreement | None) -> Agreement:
            if old is not None and old.revoked_at is None:
                raise Conflict("partner-exists", f"there is an agreement with {domain} already: change it")
            return _changed(Agreement(domain), request.terms, request.usual_rates)

        return await self._edit(domain, edit, Action.ADDED, request.by)

    async def _change(self, request: requests.ChangePartner) -> Document:
        domain = self._domain(request.domain)

        def edit(old: Agreement | None) -> Agreement:
            return _changed(_living(old, domain), request.terms, request.usual_rates)

        return await self._edit(domain, edit, Action.CHANGED, request.by)

    async def _revoke(self, request: requests.RevokePartner) -> Document:
        domain, now = self._domain(request.domain), self._clock.now_us()

        def edit(old: Agreement | None) -> Agreement:
            return replace(_living(old, domain), revoked_at=now)

        return await self._edit(domain, edit, Action.REVOKED, request.by)

    async def _edit(
        self, domain: str, edit: Callable[[Agreement | None], Agreement], action: Action, by: str
    ) -> Document:
        made = await self._partners.edit(domain, edit, action=action, by=by, now=self._clock.now_us())
        ended = self._live.partners_changed(await self._partners.all())
        log.info("an agreement with a partner was changed", partner=domain, action=action.value, by=by, ended=ended)
        return self._document(made) | {"streams_ended": ended}

    async def _log(self, request: requests.PartnerLog) -> Document:
        domain = self._domain(request.domain) if request.domain else None
        changes = await self._partners.history(domain, request.limit)
        return {"changes": [self._entry(change) for change in changes]}

    async def _waiting(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for total in await self._outgoing.totals():
            counts[total.remote] = counts.get(total.remote, 0) + total.count
        return counts

    def _domain(self, text: str) -> str:
        try:
            domain = parse_domain(text)
        except ValueError as error:
            raise Unwilling("domain-malformed", str(error)) from error
        if domain in self._domains:
            raise Unwilling("partner-is-local", f"{domain} is a domain of this server")
        return domain

    def _with_state(self, agreement: Agreement, waiting: dict[str, int]) -> Document:
        state = self._live.partner_state(agreement.domain)
        return self._document(agreement) | {
            "waiting": waiting.get(agreement.domain, 0),
            "streams": state.streams,
            "cut_off_s": round(state.cut_off_s),
        }

    def _document(self, agreement: Agreement) -> Document:
        return _shown(agreement) | {"state": _STATES[time_rule(agreement, self._clock.now_us())]}

    def _entry(self, change: Change) -> Document:
        return {
            "id": change.id,
            "at": _stamp(change.at),
            "by": change.by,
            "action": change.action.value,
            "agreement": _shown(change.agreement),
        }


def _living(agreement: Agreement | None, domain: str) -> Agreement:
    if agreement is None or agreement.revoked_at is not None:
        raise NotFound("partner-not-found", f"there is no agreement with {domain} that was not revoked")
    return agreement


def _changed(agreement: Agreement, terms: dict[str, Any], usual_rates: dict[str, float]) -> Agreement:
    """The agreement with other terms; of the rates those that neither it nor `terms` names are the usual ones."""
    document = to_document(agreement)
    given = dict(terms)
    if given.get("rates"):
        given["rates"] = usual_rates | (document["rates"] or {}) | given["rates"]
    if not set(given) <= set(document) - {"domain", "revoked_at"}:
        raise Unwilling("request-malformed", "there are terms that are not known")
    try:
        made = from_document(document | given)
    except (KeyError, TypeError, ValueError) as error:
        raise Unwilling("agreement-invalid", f"this is no agreement: {error}") from error
    return checked(made)


def _shown(agreement: Agreement) -> Document:
    """The agreement for people and programs: times as text, certificates as fingerprints."""
    document = to_document(agreement)
    for name in ("starts_at", "expires_at", "revoked_at"):
        document[name] = None if document[name] is None else _stamp(document[name])
    document["authorities"] = [hashlib.sha256(each).hexdigest() for each in agreement.authorities]
    return document


def _stamp(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
