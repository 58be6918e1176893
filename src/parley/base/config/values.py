"""Types of settings that TOML has no word for: addresses to listen on, port ranges, domains, paths, networks."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import idna
from precis_i18n import get_profile
from pydantic import PlainValidator, ValidationInfo

_username = get_profile("UsernameCaseMapped")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a TCP or UDP port to listen on.

    Attributes:
        host: an IPv4 or IPv6 address without brackets, or `localhost`.
        port: 0 to 65535; 0 lets the system choose.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def parse_listen_address(value: object) -> ListenAddress:
    """Read `127.0.0.1:5222`, `[::1]:5222` or `localhost:5222`.

    Raises:
        ValueError: for anything else. Other names are refused: which interface they mean may change under the server.
    """
    if isinstance(value, ListenAddress):
        return value
    host, separator, port = str(value).rpartition(":") if isinstance(value, str) else ("", "", "")
    if not separator or not (port.isascii() and port.isdecimal()):
        raise ValueError(f'expected "address:port", for instance "127.0.0.1:5222" or "[::1]:5222", not {value!r}')
    if int(port) > 65535:
        raise ValueError(f"port {port} is over 65535")
    return ListenAddress(_parse_host(host), int(port))


def _parse_host(host: str) -> str:
    if host == "localhost":
        return host
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        raise ValueError(f"{host!r} is neither an IP address nor localhost") from None
    if is_bracketed != (address.version == 6):
        raise ValueError("write IPv6 addresses, and only those, in brackets: [::1]:5222")
    return str(address)


def parse_port_range(value: object) -> PortRange:
    """Read `20000-20999`.

    Raises:
        ValueError: when it is not two ports from 1 to 65535 in ascending order.
    """
    if isinstance(value, PortRange):
        return value
    first, _, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not all(part.isascii() and part.isdecimal() for part in (first, last)):
        raise ValueError(f'expected two ports, for instance "20000-20999", not {value!r}')
    if not 1 <= int(first) <= int(last) <= 65535:
        raise ValueError("ports are from 1 to 65535, the lower one first")
    return PortRange(int(first), int(last))


def parse_label(value: object) -> str:
    """Read one label of a domain name, or nothing. Raises ValueError."""
    if value == "":
        return ""
    label = parse_domain(value)
    if "." in label:
        raise ValueError("must be one label, without a dot")
    return label


def parse_domain(value: object) -> str:
    """Read a domain name and return it as RFC 7622 §3.2 compares it: lower case, U-labels, no final dot.

    Raises:
        ValueError: when it is not a valid internationalised domain name.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected a domain name, not {value!r}")  # noqa: TRY004 - pydantic reports ValueError
    try:
        return idna.decode(idna.encode(value.removesuffix("."), uts46=True, std3_rules=True))
    except idna.IDNAError as error:
        raise ValueError(f"{value!r} is not a domain name: {error}") from None


def parse_account_address(value: object) -> str:
    """Read an account's address, `name@domain`, and return it as RFC 7622 §3 compares it.

    Raises:
        ValueError: when it is not one.
    """
    local, at, domain = value.partition("@") if isinstance(value, str) else ("", "", "")
    if not local or not at or set(local) & set("\"&'/:<>"):
        raise ValueError(f'expected an address such as "alice@example.org", not {value!r}')
    try:
        return f"{_username.enforce(local)}@{parse_domain(domain)}"
    except UnicodeError as error:
        raise ValueError(f"{value!r} is not an address: {error}") from None


def parse_ip_address(value: object) -> str:
    """Read an IP address and return its canonical text.

    Raises:
        ValueError: when it is not one.
    """
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def parse_network(value: object) -> Network:
    """Read an IP address or a network such as `10.0.0.0/8`.

    Raises:
        ValueError: when it is neither, or has bits set beyond its prefix.
    """
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is neither an IP address nor a network such as 10.0.0.0/8") from None


def parse_url(value: object) -> str:
    """Read an `http` or `https` URL with a host and no query, and return it without a final slash.

    Raises:
        ValueError: when it is anything else.
    """
    text = value if isinstance(value, str) else ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f'expected an address such as "https://chat.example.org", not {value!r}')
    return text.rstrip("/")


def parse_origin(value: object) -> str:
    """Read the origin of web pages, `https://chat.example.org`, and return it as browsers write it; `*` is any.

    Raises:
        ValueError: when it is anything else, an address with a path among it.
    """
    if value == "*":
        return "*"
    url = parse_url(value)
    if urlsplit(url).path or "*" in url:
        raise ValueError(f"an origin has no path and no wildcard: {value!r}")
    return origin_of(url)


def origin_of(url: str) -> str:
    """Return the origin of an address as browsers write it (RFC 6454 §6.2): without path and default port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    is_default = parts.port is None or (parts.scheme, parts.port) in (("http", 80), ("https", 443))
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{parts.port}"


def resolve_path(value: object, info: ValidationInfo) -> Path:
    """Read a path; a relative one starts at the folder of the settings file.

    Raises:
        ValueError: when it is not a text, or empty.
    """
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a path, not {value!r}")
    context: dict[str, Any] = info.context or {}
    folder: Path = context.get("folder", Path())
    return (folder / Path(value).expanduser()).absolute()


def resolve_optional_path(value: object, info: ValidationInfo) -> Path | None:
    """Read a path as `resolve_path` does; an empty text is none.

    Raises:
        ValueError: when it is not a text.
    """
    return None if value is None or value == "" else resolve_path(value, info)


AccountAddress = Annotated[str, PlainValidator(parse_account_address)]
Address = Annotated[ListenAddress, PlainValidator(parse_listen_address)]
Ports = Annotated[PortRange, PlainValidator(parse_port_range)]
Label = Annotated[str, PlainValidator(parse_label)]
Domain = Annotated[str, PlainValidator(parse_domain)]
IpAddress = Annotated[str, PlainValidator(parse_ip_address)]
AllowedNetwork = Annotated[Network, PlainValidator(parse_network)]
Origin = Annotated[str, PlainValidator(parse_origin)]
Url = Annotated[str, PlainValidator(parse_url)]
FilePath = Annotated[Path, PlainValidator(resolve_path)]
OptionalPath = Annotated[Path | None, PlainValidator(resolve_optional_path)]
