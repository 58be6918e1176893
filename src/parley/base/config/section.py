"""What sections of the settings are made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


def setting(default: Any, description: str, *, unit: str = "", reload: bool = False, **bounds: Any) -> Any:
    """A field with its sentence for the reference; `reload` marks what SIGHUP applies to a running server."""
    extra: dict[str, JsonValue] = {"unit": unit, "reload": reload}
    return Field(default=default, description=description, json_schema_extra=extra, **bounds)


class Section(BaseModel):
    """A table of the settings file. Unknown keys are errors; values are frozen and not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)
