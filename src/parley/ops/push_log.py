"""Notifications as far as they go without a way to devices: counted, and told in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.base import log as logs

if TYPE_CHECKING:
    from parley.domain.push_targets import PushSummary, PushTarget
    from parley.ops.metrics import Metrics

log = logs.get(__name__)


class PushLog:
    """A `PushSender` that wakes nobody. What waits is told to nobody either: the log has no words of messages."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def send(self, target: PushTarget, summary: PushSummary) -> None:
        """Note that a device was to be woken."""
        self._metrics.pushed(target.kind)
        pii = {"address": target.owner, "device": target.device}
        log.info("a device is to be woken", kind=target.kind, messages=summary.messages, pii=pii)
