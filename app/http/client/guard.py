"""Where data may lead a request: to public addresses, and to networks the operator opened.

The check is made on what a name was resolved to, and the connection is made to what was checked:
how an address is spelt, and what a name server answers the next time, makes no difference.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from app.http.client.connection import AddressInfo, Resolve
from app.http.message import TransportError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class _Range(NamedTuple):
    network: Network
    name: str


def _ranges(*rows: tuple[str, str]) -> tuple[_Range, ...]:
    return tuple(_Range(ipaddress.ip_network(text), name) for text, name in rows)


REFUSED = _ranges(
    # https://www.iana.org/assignments/iana-ipv4-special-registry, with the RFC of each range
    ("0.0.0.0/8", "unspecified"),  # RFC 791 section 3.2: this host on this network
    ("10.0.0.0/8", "private"),  # RFC 1918
    ("100.64.0.0/10", "shared by a provider"),  # RFC 6598: CGNAT; 100.100.100.200 is metadata
    ("127.0.0.0/8", "loopback"),  # RFC 1122 section 3.2.1.3
    ("169.254.0.0/16", "link-local"),  # RFC 3927; 169.254.169.254 is most clouds' metadata
    ("172.16.0.0/12", "private"),  # RFC 1918
    ("192.0.0.0/24", "reserved"),  # RFC 6890; 192.0.0.192 is metadata
    ("192.0.2.0/24", "for documentation"),  # RFC 5737
    ("192.88.99.0/24", "a 6to4 relay"),  # RFC 7526
    ("192.168.0.0/16", "private"),  # RFC 1918
    ("198.18.0.0/15", "for benchmarks"),  # RFC 2544
    ("198.51.100.0/24", "for documentation"),  # RFC 5737
    ("203.0.113.0/24", "for documentation"),  # RFC 5737
    ("224.0.0.0/4", "multicast"),  # RFC 5771
    ("240.0.0.0/4", "reserved"),  # RFC 1112 section 4; 255.255.255.255 is broadcast, RFC 919
    # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    ("168.63.129.16/32", "the host of a virtual machine"),
    # https://www.iana.org/assignments/iana-ipv6-special-registry, with the RFC of each range
    ("::/128", "unspecified"),  # RFC 4291 section 2.5.2
    ("::1/128", "loopback"),  # RFC 4291 section 2.5.3
    ("::/96", "an IPv4-compatible form"),  # RFC 4291 section 2.5.5.1
    ("::ffff:0:0/96", "an IPv4-mapped form"),  # RFC 4291 section 2.5.5.2
    ("::ffff:0:0:0/96", "an IPv4-translated form"),  # RFC 2765 section 2.1
    ("64:ff9b::/96", "NAT64"),  # RFC 6052
    ("64:ff9b:1::/48", "NAT64"),  # RFC 8215
    ("100::/64", "discarded"),  # RFC 6666
    ("2001::/32", "Teredo"),  # RFC 4380
    ("2001::/23", "reserved for protocols"),  # RFC 2928; benchmarks, ORCHID and more
    ("2001:db8::/32", "for documentation"),  # RFC 3849
    ("2002::/16", "6to4"),  # RFC 3056
    ("3fff::/20", "for documentation"),  # RFC 9637
    ("fc00::/7", "private"),  # RFC 4193; fd00:ec2::254 and fd20:ce::254 are metadata
    ("fe80::/10", "link-local"),  # RFC 4291 section 2.5.6
    ("fec0::/10", "site-local"),  # RFC 3879
    ("ff00::/8", "multicast"),  # RFC 4291 section 2.7
)
"""The first range that an address is in names it."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6 so far; what lies outside is reserved (RFC 4291 section 2.4)."""


def refusal(address: Address) -> str | None:
    """Why data may not lead to an address, in a few words; ``None`` if it is public."""
    for network, name in REFUSED:
        if address in network:
            return name
    is_unassigned = address.version == 6 and address not in _GLOBAL_UNICAST
    return "reserved" if is_unassigned else None


def guarded(resolve: Resolve, opened: Sequence[Network]) -> Resolve:
    """The resolver, whose answers hold only addresses that data may lead to.

    ``opened`` are networks that it may lead to although they are not public. It raises
    :class:`TransportError` of kind ``address`` where nothing is left of an answer.
    """

    def resolve_guarded(host: str, port: int) -> list[AddressInfo]:
        found = resolve(host, port)
        addresses = [ipaddress.ip_address(info[4][0]) for info in found]
        reasons = [_reason(address, opened) for address in addresses]
        if found and all(reasons):
            raise TransportError("address", _sentence(addresses[0], reasons[0]))
        return [info for info, reason in zip(found, reasons, strict=True) if not reason]

    return resolve_guarded


def _reason(address: Address, opened: Sequence[Network]) -> str | None:
    return None if any(address in network for network in opened) else refusal(address)


def _sentence(address: Address, reason: str | None) -> str:
    return (
        f"a url that depends on data may not lead to {address} ({reason}); the operator can "
        "open it with SITESWAP_PRIVATE_NETWORKS, or as a service that says `allow_private: true`"
    )
