"""Hosts as rules and bindings name them, in the one spelling in which they are compared.

A name is lower case, in A-labels, without a trailing dot; `*.suffix` stands for any depth below the suffix and
not for the suffix itself; a CIDR stands for literal addresses. `contracts/vectors/hosts.json` holds the cases
that this reading and the data plane's must share: what passes here and not there would refuse a whole snapshot.
"""

import functools
import ipaddress
import re
from dataclasses import dataclass

import idna
from publicsuffixlist import PublicSuffixList

MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# What resolvers of old read as an address: a last label of digits, or of hex after 0x.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


class HostError(ValueError):
    """Not a host; the text says which rule was broken and what to write instead."""


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A canonical pattern: an exact name, `*.suffix`, or a CIDR."""

    text: str

    @property
    def is_cidr(self) -> bool:
        """Whether this names addresses rather than names."""
        return "/" in self.text

    @property
    def is_wildcard(self) -> bool:
        """Whether this names all below a suffix."""
        return self.text.startswith("*.")

    @property
    def breadth(self) -> str:
        """Who owns the names that it covers: `owned` by one, the `tenants` of one provider, or a `registry`'s customers."""
        return _breadth(self.text[2:]) if self.is_wildcard else "owned"


def parse_pattern(text: str) -> HostPattern:
    """The pattern that a rule was given as: a name, `*.suffix`, an address or a CIDR."""
    if not text:
        raise HostError("the host is empty; write a name such as api.openai.com")
    if "://" in text or text.startswith("/"):
        raise HostError(f"{_short(text)} is a URL; write the host alone, such as api.openai.com")
    if (network := _network(text)) is not None:
        return HostPattern(network)
    if "/" in text:
        raise HostError(f"{_short(text)} is neither a CIDR nor a host; a path goes into path_glob")
    if text == "*":
        raise HostError("`*` alone names every host; set default_effect to allow, or observe, instead")
    if text.startswith("*."):
        return HostPattern("*." + canonical_name(text[2:]))
    return HostPattern(canonical_name(text))


def split_port(text: str) -> tuple[str, int | None]:
    """A host and the port that was written behind it, if one was."""
    name, colon, port = text.rpartition(":")
    if not colon or name.count(":") or "/" in text:
        return text, None  # no port, an IPv6 address, or a URL, which `parse_pattern` explains
    if not port.isascii() or not port.isdigit() or port.startswith("0") or not 1 <= int(port[:6]) <= 65535:
        raise HostError(f"{_short(text)}: what follows the colon is not a port from 1 to 65535")
    return name, int(port)


def canonical_name(text: str) -> str:
    """A host name in its one spelling; HostError when it is none."""
    name = text[:-1] if text.endswith(".") else text
    if "*" in name:
        raise HostError(f"{_short(text)}: a star stands only for whole labels at the start, as in *.openai.com")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, std3_rules=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise HostError(f"{_short(text)} is not a valid international name") from None
    name = name.lower()
    labels = name.split(".")
    if len(name) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise HostError(f"{_short(text)} is not a host name: labels of 1 to 63 letters, digits and hyphens, {MAX_NAME} characters at most")
    if _NUMERIC.fullmatch(labels[-1]):
        raise HostError(f"{_short(text)} looks like an address in an old spelling; write four decimal numbers, or a CIDR")
    _check_a_labels(labels, text)
    return name


def matches(pattern: str, host: str) -> bool:
    """Whether a canonical pattern covers a canonical host, which may be a literal address."""
    if "/" in pattern:
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address in ipaddress.ip_network(pattern)
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _network(text: str) -> str | None:
    address, _, length = text.strip("[]").partition("/")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped is not None or ip.scope_id is not None):
        raise HostError(f"{_short(text)}: write the IPv4 address itself, and no zone")
    if not length:
        return str(ipaddress.ip_network(ip))
    if not length.isascii() or not length.isdigit():
        raise HostError(f"{_short(text)}: a CIDR ends in a number of bits, such as 10.0.0.0/8")
    try:
        return str(ipaddress.ip_network(f"{ip}/{length}"))
    except ValueError:
        wide = ipaddress.ip_network(f"{ip}/{length}", strict=False) if int(length) <= ip.max_prefixlen else None
        hint = f"; did you mean {wide}?" if wide else ""
        raise HostError(f"{_short(text)} is not a CIDR{hint}") from None


def _check_a_labels(labels: list[str], text: str) -> None:
    for label in labels:
        if label.startswith("xn--"):
            try:
                idna.ulabel(label)
            except (idna.IDNAError, UnicodeError):
                raise HostError(f"{_short(text)}: {label[:63]} is not a valid A-label") from None


def _breadth(suffix: str) -> str:
    every, icann = _suffixes()
    if "." not in suffix or icann.is_public(suffix):
        return "registry"
    return "tenants" if every.is_public(suffix) else "owned"


@functools.cache
def _suffixes() -> tuple[PublicSuffixList, PublicSuffixList]:
    return PublicSuffixList(), PublicSuffixList(only_icann=True)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")
