"""The settings of `parley.toml`: what they are, how they are read, and the pages generated from them.

`sections.py` declares every setting with its type, unit, default and meaning; nothing else in Parley has defaults for
an operator. `values.py` holds the types that TOML lacks, `loading.py` reads files and overrides, `reference.py` writes
the example file and the reference page. To add a setting, add one field to a section and run `make docs`.
"""

from parley.base.config.loading import apply_reload, load, unused_settings
from parley.base.config.nodes import PepSettings, PubsubSettings
from parley.base.config.people import ContactSettings, PersonalSettings, TurnSettings
from parley.base.config.reference import reference_markdown, render_default
from parley.base.config.sections import (
    ArchiveSettings,
    HttpSettings,
    LimitSettings,
    LoginSettings,
    LogSettings,
    MediaSettings,
    MetricsSettings,
    Settings,
    SipSettings,
    TlsSettings,
    UploadSettings,
    XmppSettings,
)
from parley.base.config.values import ListenAddress, PortRange

__all__ = [
    "ArchiveSettings",
    "ContactSettings",
    "HttpSettings",
    "LimitSettings",
    "ListenAddress",
    "LogSettings",
    "LoginSettings",
    "MediaSettings",
    "MetricsSettings",
    "PepSettings",
    "PersonalSettings",
    "PortRange",
    "PubsubSettings",
    "Settings",
    "SipSettings",
    "TlsSettings",
    "TurnSettings",
    "UploadSettings",
    "XmppSettings",
    "apply_reload",
    "load",
    "reference_markdown",
    "render_default",
    "unused_settings",
]
