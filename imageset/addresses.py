"""Which URLs may be asked: web URLs whose host is on the public internet, or is allowed by name.

A host's name is judged by the addresses that the connection will really use, so a name that resolves differently the
second time gains nothing. Not for paths of file: URLs: see `imageset.local_files`.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from imageset.causes import Cause, FetchError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
# What Python's tables of special addresses take for public.
_NOT_PUBLIC = (
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4, withdrawn: RFC 7526
    ipaddress.ip_network("3fff::/20"),  # documentation: RFC 9637
    ipaddress.ip_network("fec0::/10"),  # site-local: RFC 3879
)


class RefusedAddressError(OSError):
    """A host's name has an address that is not public; the text names both."""


def web_url(text: str, allow_hosts: frozenset[str]) -> URL:
    """Parse a URL that may be asked, as far as that can be told without resolving its host.

    Parameters
    ----------
    text : str
        An absolute URL.
    allow_hosts : frozenset of str
        Hosts that may have any address.

    Raises
    ------
    FetchError
        bad_url, refused_scheme, or refused_address for a host that is an address, in whatever notation.
    """
    try:
        url = URL(text)
        host = url.raw_host
        has_login = url.raw_user is not None or url.raw_password is not None
        scheme, _ = url.scheme, url.port
    except ValueError as error:
        raise FetchError(Cause.BAD_URL) from error
    if scheme not in ("http", "https"):
        raise FetchError(Cause.REFUSED_SCHEME)
    if not host or has_login:
        raise FetchError(Cause.BAD_URL)
    if host not in allow_hosts and _looks_like_address(host) and not _is_public_text(host):
        raise FetchError(Cause.REFUSED_ADDRESS)
    return url


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, except those of allowed hosts.

    Parameters
    ----------
    allow_hosts : frozenset of str
    """

    def __init__(self, allow_hosts: frozenset[str]) -> None:
        self._allow_hosts = allow_hosts
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host.

        Raises
        ------
        RefusedAddressError
            When one of them is not public: a name with both kinds is somebody trying.
        """
        found = await self._system.resolve(host, port, family)
        refused = [each["host"] for each in found if not _is_public_text(each["host"])]
        if refused and host not in self._allow_hosts:
            raise RefusedAddressError(f"{host} has the address {refused[0]}")
        return found

    async def close(self) -> None:
        """Nothing to release."""


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is on the public internet; one that wraps an IPv4 address is judged by that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _looks_like_address(host: str) -> bool:
    # As the URL standard has it: a host whose last label is a number is an IPv4 address, also in the octal,
    # hexadecimal and shortened forms that the system's resolver understands.
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or last.startswith("0x")


def _is_public_text(host: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        return False
