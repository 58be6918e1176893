"""What a page of an archive is, said as plainly as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parley.domain.messages import ArchivePage, ArchiveQuery


@dataclass(frozen=True, slots=True)
class Archived:
    """A message in one archive."""

    seq: int
    id: str
    received_at: int
    peer: str
    devices: tuple[str, str] = ("", "")


def expected_page(archive: Sequence[Archived], query: ArchiveQuery) -> tuple[list[int], bool, int, int] | None:
    """Positions, whether the page is the last, total and index; None when the query names an unknown id."""
    seq_of = {message.id: message.seq for message in archive}
    named = (query.newer_than, query.older_than, query.after_id, query.before_id)
    ends = [end for end in named if end is not None]
    if any(named not in seq_of for named in [*query.ids, *ends]):
        return None
    matching = [
        message.seq
        for message in archive
        if (not query.ids or message.id in query.ids)
        and query.peer in (None, message.peer)
        and (not query.device or query.device in message.devices)
        and (query.newer_than is None or message.seq > seq_of[query.newer_than])
        and (query.older_than is None or message.seq < seq_of[query.older_than])
        and (query.start is None or message.received_at >= query.start)
        and (query.end is None or message.received_at <= query.end)
    ]
    after = seq_of[query.after_id] if query.after_id else 0
    before = seq_of[query.before_id] if query.before_id else 2**62
    inside = [seq for seq in matching[query.index or 0 :] if after < seq < before]
    page = (inside[::-1][: query.limit][::-1]) if query.is_backward else inside[: query.limit]
    if query.index is not None:
        index = min(query.index, len(matching))
    elif page:
        index = matching.index(page[0])
    elif query.is_backward:
        index = len([seq for seq in matching if seq < before])
    else:
        index = len([seq for seq in matching if seq <= after])
    return page, page == inside, len(matching), index


def summary(page: ArchivePage) -> tuple[list[int], bool, int | None, int | None]:
    """The same of a real page."""
    return [message.seq for message in page.messages], page.is_complete, page.total, page.index
