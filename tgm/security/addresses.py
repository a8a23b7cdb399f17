"""Which addresses TGM may connect to on behalf of a team. Pure rules."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_V6_PUBLIC = IPv6Network("2000::/3")
# What the ranges of the registries leave out, or what Python's tables gained only later.
_NEVER: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),  # carriers' own; a metadata service of one cloud is here
    IPv4Network("168.63.129.16/32"),  # a cloud's host agent, at an address that looks public
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("2001::/23"),  # Teredo and others that lead somewhere else
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address inside
    IPv6Network("3fff::/20"),
)


def is_allowed(text: str, networks: Sequence[Network]) -> bool:
    """Tell whether TGM may connect to the address: it is public, or in one of `networks`."""
    address = _meant(text)
    return within(text, networks) or _is_public(address)


def within(text: str, networks: Sequence[Network]) -> bool:
    """Tell whether the address lies in one of `networks`."""
    address = _meant(text)
    return any(address.version == net.version and address in net for net in networks)


def _meant(text: str) -> Address:
    """Return the address, or the IPv4 address that an IPv6 one stands for."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    if address.version == 6 and address not in _V6_PUBLIC:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
