"""From where a key may be used: addresses and networks."""

import ipaddress
from collections.abc import Iterable

from ..errors import Invalid

_MOST = 100


def networks(given: Iterable[str]) -> tuple[str, ...]:
    """Networks in their canonical spelling; a single address is a network of one."""
    wanted = tuple(given)
    if len(wanted) > _MOST:
        raise Invalid(f"ip_allowlist has at most {_MOST} entries", details={"field": "ip_allowlist"})
    try:
        return tuple(dict.fromkeys(str(ipaddress.ip_network(text.strip(), strict=False)) for text in wanted))
    except ValueError as error:
        raise Invalid(f"ip_allowlist: {error}", details={"field": "ip_allowlist"}) from None


def among(allowed: Iterable[str], address: str | None) -> bool:
    """Whether an address lies in one of the networks; one that is not known lies in none."""
    try:
        given = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
        given = given.ipv4_mapped
    return any(given in ipaddress.ip_network(network) for network in allowed)
