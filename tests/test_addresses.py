from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.addresses import PublicResolver, RefusedAddressError, is_public, web_url
from imageset.causes import FetchError

NAMES = {
    "public.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "private.example": ["10.0.0.7"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "both.example": ["93.184.215.14", "127.0.0.1"],
}


@pytest.fixture
def names(monkeypatch):
    def lookup(host, port, *_, **__):
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in NAMES[host]]
        rest = {socket.AF_INET: (port,), socket.AF_INET6: (port, 0, 0)}
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, *rest[family]))
            for family, address in zip(families, NAMES[host], strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def resolve(host: str, *allowed: str) -> list[str]:
    async def ask() -> list[str]:
        return [each["host"] for each in await PublicResolver(frozenset(allowed)).resolve(host, 80)]

    return asyncio.run(ask())


def test_names_are_judged_by_the_addresses_that_will_be_used(names):
    assert resolve("public.example") == NAMES["public.example"]
    for host in ("private.example", "mapped.example", "both.example"):
        with pytest.raises(RefusedAddressError, match=f"{host} has the address {NAMES[host][-1]}"):
            resolve(host, "public.example")
        assert resolve(host, host) == NAMES[host]


@given(st.ip_addresses(v=4))
def test_an_address_within_an_address_is_judged_by_itself(inner):
    number = int(inner)
    wraps = (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80)
    assert {is_public(ipaddress.IPv6Address(wrapped)) for wrapped in wraps} == {is_public(inner)}


PRIVATE = ("10.0.0.0/8", "127.0.0.0/8", "192.88.99.0/24", "224.0.0.0/4", "3fff::/20", "fc00::/7", "fec0::/10")


@given(st.one_of([st.ip_addresses(network=network) for network in PRIVATE]))
def test_a_private_address_is_refused_in_every_notation(address):
    host = f"[{address}]" if address.version == 6 else str(address)
    notations = [host] if address.version == 6 else [host, str(int(address)), hex(int(address)), host + "."]
    for notation in notations:
        with pytest.raises(FetchError, match="refused_address"):
            web_url(f"http://{notation}/a.jpg", frozenset())


@given(st.text(max_size=30), st.sampled_from(["{}", "http://{}/a.jpg", "http:{}", "https://a.example{}"]))
def test_any_text_is_a_web_url_or_has_a_cause(text, form):
    cause = None
    try:
        url = web_url(form.format(text), frozenset())
    except FetchError as error:
        cause = error.cause
    assert cause in ("bad_url", "refused_scheme", "refused_address") or (url.raw_host and url.scheme[:4] == "http")
