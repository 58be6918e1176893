"""Settings about push notifications."""

from __future__ import annotations

from typing import Literal

from parley.base.config.section import Section
from parley.base.config.section import setting as _setting


class PushSettings(Section):
    """Waking devices by push services (XEP-0357). What is sent there says that something waits, and nothing of it."""

    max_registrations: int = _setting(20, "Most push registrations of one account.", reload=True, ge=1, le=10_000)
    min_interval_s: int = _setting(
        10,
        "A device is woken again after this time at the earliest; what came in between wakes it then.",
        unit="seconds",
        reload=True,
        ge=0,
        le=3600,
    )
    timeout_s: int = _setting(
        30,
        "Time for a push service to answer; then it counts as not reached.",
        unit="seconds",
        reload=True,
        ge=1,
        le=600,
    )
    apps: Literal["accounts", "everyone"] = _setting(
        "everyone",
        "Who may register a device at the push service of `[services]`: people with an account here, or also those of"
        " other servers.",
        reload=True,
    )
    max_devices: int = _setting(100_000, "Most devices registered there.", reload=True, ge=1, le=10_000_000)
    max_devices_each: int = _setting(20, "Most devices that one person registers there.", reload=True, ge=1, le=1000)
