"""What counts as one caller."""

import ipaddress


def network_of(address: str) -> str:
    """Return the address; for IPv6 its /64, since a caller there has a whole network."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
