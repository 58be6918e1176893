"""What people say about those they block: kept for the operator, who reads it with `parley report list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.people.blocking import Complaint
from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.namespaces import NS_STANZA_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_NS_REPORTING: Final = "urn:xmpp:reporting:1"
_MAX_TEXT: Final = 2000
_MAX_REASON: Final = 200
_MAX_IDS: Final = 100


def complaint_in(item: _Element, address: str) -> Iterator[Complaint]:
    """The report in an item of a block command, if there is one.

    One without a reason is none: the block MUST succeed or fail as it would without (§6).
    """
    report = item.find(f"{{{_NS_REPORTING}}}report")
    reason = "" if report is None else report.get("reason", "")
    if report is None or not reason:
        return
    text = (report.findtext(f"{{{_NS_REPORTING}}}text") or "").strip()
    ids = [each.get("id", "") for each in report.iterchildren(f"{{{NS_STANZA_IDS}}}stanza-id")]
    yield Complaint(
        address,
        reason[:_MAX_REASON],
        text[:_MAX_TEXT],
        tuple(each for each in ids[:_MAX_IDS] if each),
        may_tell_origin=report.find(f"{{{_NS_REPORTING}}}report-origin") is not None,
        may_tell_others=report.find(f"{{{_NS_REPORTING}}}third-party") is not None,
    )


EXTENSION = Extension(
    spec="XEP-0377",
    name="Blocking Command Reports",
    version="0.4.1",
    status="reports are kept for the operator; none is passed on to others",
    server_features=(_NS_REPORTING,),
)
