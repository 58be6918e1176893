"""Data forms (XEP-0004), as far as configuration, options and discovery need them: no tables of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_DATA

if TYPE_CHECKING:
    from lxml.etree import _Element

_FORM: Final = f"{{{NS_DATA}}}x"
_TYPES: Final = frozenset({"form", "submit", "cancel", "result"})
_TRUTH: Final = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `options` are pairs of label ("" for none) and value; `type` is "" when it was not given."""

    var: str
    values: tuple[str, ...] = ()
    type: str = ""
    label: str = ""
    options: tuple[tuple[str, str], ...] = ()
    is_required: bool = False

    def to_bytes(self) -> bytes:
        """The `<field/>`."""
        attrs = {"var": self.var or None, "type": self.type or None, "label": self.label or None}
        options = [xml("option", {"label": label or None}, xml("value", None, v)) for label, v in self.options]
        required = [xml("required")] if self.is_required else []
        return xml("field", attrs, *required, *(xml("value", None, value) for value in self.values), *options)


@dataclass(frozen=True, slots=True)
class Form:
    """A form; `type` is "form", "submit", "cancel" or "result"."""

    type: str
    fields: tuple[Field, ...] = ()
    title: str = ""
    instructions: tuple[str, ...] = ()

    @property
    def form_type(self) -> str:
        """What the hidden field FORM_TYPE says (XEP-0068), "" when there is none."""
        return self.value("FORM_TYPE") or ""

    def field(self, var: str) -> Field | None:
        """The first field of this name."""
        return next((field for field in self.fields if field.var == var), None)

    def value(self, var: str) -> str | None:
        """The first value of a field; None when the field or its value is missing."""
        field = self.field(var)
        return field.values[0] if field is not None and field.values else None

    def flag(self, var: str) -> bool | None:
        """The value of a boolean field, None when missing; raises PayloadError when it is none of 0, 1, true, false."""
        value = self.value(var)
        if value is None:
            return None
        if value not in _TRUTH:
            raise PayloadError(f"{var} is not a boolean")
        return _TRUTH[value]

    def to_bytes(self) -> bytes:
        """The `<x/>`."""
        texts = [xml("title", None, self.title)] if self.title else []
        texts += [xml("instructions", None, line) for line in self.instructions]
        return xml("x", {"xmlns": NS_DATA, "type": self.type}, *texts, *(field.to_bytes() for field in self.fields))


def submission(form_type: str, **values: str) -> Form:
    """A filled-in form of `form_type` with one value per field; for names with other characters build `Form`."""
    hidden = Field("FORM_TYPE", (form_type,), "hidden")
    return Form("submit", (hidden, *(Field(var, (value,)) for var, value in values.items())))


def find_form(parent: _Element, form_type: str | None = None) -> Form | None:
    """The first form directly inside `parent`, of `form_type` if one is given; raises PayloadError."""
    for element in parent.iterchildren(_FORM):
        form = parse_form(element)
        if form_type is None or form.form_type == form_type:
            return form
    return None


def parse_form(element: _Element) -> Form:
    """The form that `<x/>` is.

    Raises:
        PayloadError: another element, an unknown type, or a field without the name it needs.
    """
    form_type = element.get("type")
    if element.tag != _FORM or form_type not in _TYPES:
        raise PayloadError("not a data form")
    fields = tuple(_parse_field(child) for child in element.iterchildren(f"{{{NS_DATA}}}field"))
    instructions = tuple(_text(child) for child in element.iterchildren(f"{{{NS_DATA}}}instructions"))
    return Form(str(form_type), fields, _first_text(element, "title"), instructions)


def _parse_field(element: _Element) -> Field:
    var, kind = element.get("var") or "", element.get("type") or ""
    # XEP-0004 §3.2: every field but a fixed one has a name.
    if not var and kind != "fixed":
        raise PayloadError("a field without a name")
    return Field(
        var,
        tuple(_text(child) for child in element.iterchildren(f"{{{NS_DATA}}}value")),
        kind,
        element.get("label") or "",
        tuple(
            (option.get("label") or "", _first_text(option, "value"))
            for option in element.iterchildren(f"{{{NS_DATA}}}option")
        ),
        element.find(f"{{{NS_DATA}}}required") is not None,
    )


def _text(element: _Element) -> str:
    return element.text or ""


def _first_text(element: _Element, name: str) -> str:
    return element.findtext(f"{{{NS_DATA}}}{name}") or ""
