from __future__ import annotations

import logging

import pytest

from parley.domain.push_targets import PushSummary, PushTarget, digest
from parley.ops.metrics import Metrics
from parley.ops.push_log import PushLog

PHONE = PushTarget("push.example.org", "n1", "alice@example.org", "fcm", "phone", "t0k3n", digest("s"), 10)


async def test_it_counts_and_tells_what_is_nobodys_business_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            await PushLog(metrics).send(PHONE, PushSummary(3, None, "juliet@capulet.example", "Wherefore?"))
    assert metrics.value("parley_pushes_total", kind="fcm") == 2
    assert len(caplog.records) == 2
    told = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert not any(secret in told for secret in ("juliet", "Wherefore", "t0k3n"))
