"""Guarded requests: whatever leads to an address that is not public, nobody there is called."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.client.connection import AddressInfo, Resolve, resolve
from app.http.client.guard import Address, Network, guarded, refusal
from app.http.client.transport import NetworkTransport
from app.http.local import RoutingTransport
from app.http.message import Request, Response, TransportError
from tests.transports.hostile import LOOPBACK_SPELLINGS, NO_HOST, PRIVATE
from tests.transports.requests import failure, request
from tests.transports.servers import Server, closed_port, echo

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def info(address: str, port: int = 80) -> AddressInfo:
    """One answer of a resolver."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 0, "", (address, port))


def answering(*addresses: str) -> Resolve:
    """A resolver that knows one host, with these addresses."""
    return lambda _, port: [info(address, port) for address in addresses]


def left(addresses: Sequence[str], opened: Sequence[Network] = ()) -> list[str]:
    """What a guard leaves of these addresses."""
    return [found[4][0] for found in guarded(answering(*addresses), opened)("h", 80)]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on 127.0.0.1 that must not be reached."""
    with Server(echo) as server:
        yield server
        assert server.accepted == 0


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_this_machine_is_refused_however_it_is_spelt(server: Server, host: str) -> None:
    """Each spelling is read by the system's resolver; what comes of it decides.

    One that this system does not read leads nowhere, which is as good.
    """
    with closing(NetworkTransport()) as transport:
        url = f"http://{host}:{server.port}/"
        error = failure(transport, request(url, is_guarded=True))
    if error.kind != "address":
        assert (error.kind, "not found" in error.message) == ("connection", True), error.message
    else:
        assert "SITESWAP_PRIVATE_NETWORKS" in error.message


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "１２７.０.０.１", "localhost"])
def test_the_spellings_are_real(host: str) -> None:
    """Without the guard they lead to this machine: the tests above try something."""
    with Server(echo) as server, closing(NetworkTransport()) as transport:
        assert transport.send(request(f"http://{host}:{server.port}/")).status == 200


@pytest.mark.parametrize("host", PRIVATE)
def test_other_private_addresses_are_refused(host: str) -> None:
    """Nothing is sent to them: the refusal comes before the first packet."""
    with closing(NetworkTransport()) as transport:
        error = failure(transport, request(f"http://{host}/", is_guarded=True, timeout=2))
    assert error.kind == "address"


@pytest.mark.parametrize("host", NO_HOST)
def test_what_is_no_host_is_not_looked_up(host: str) -> None:
    """Readers of urls do not agree about these; here nobody is asked."""
    transport = NetworkTransport(resolve=lambda _host, _port: pytest.fail("looked up"))
    error = failure(transport, request(f"http://{host}/", is_guarded=True))
    assert error.kind == "request"


@pytest.mark.parametrize("address", [host.strip("[]") for host in PRIVATE if "x" not in host])
def test_a_name_that_leads_inside_is_refused(server: Server, address: str) -> None:
    """A public name, such as 10.0.0.1.nip.io, may have any address."""
    try:
        number = str(ipaddress.ip_address(address))
    except ValueError:
        number = socket.inet_ntoa(socket.inet_aton(address))
    transport = NetworkTransport(resolve=answering(number))
    error = failure(transport, request("http://inside.example.com/", is_guarded=True))
    assert error.kind == "address"
    assert error.message.startswith(
        f"inside.example.com:80: a url that depends on data may not lead to {number} ("
    )


def test_one_look_up_a_connection_and_its_answer_is_checked() -> None:
    """A name server that answers something else the second time changes nothing."""
    with Server(echo, "127.0.0.2") as good, Server(echo) as secret:
        answers = [info("127.0.0.2", good.port), info("127.0.0.1", secret.port)]
        asked = []

        def rebinding(host: str, port: int) -> list[AddressInfo]:
            asked.append(host)
            return [answers[len(asked) - 1]]

        # 127.0.0.2 stands for a public address: the packets of a test stay on this machine.
        opened = [ipaddress.ip_network("127.0.0.2/32")]
        transport = NetworkTransport(max_idle=0, resolve=rebinding, private_networks=opened)
        sent = request("http://evil.example/", is_guarded=True)
        assert transport.send(sent).status == 200
        assert asked == ["evil.example"]
        assert failure(transport, sent).kind == "address"
        assert asked == ["evil.example"] * 2
        assert (good.accepted, secret.accepted) == (1, 0)


def test_of_several_addresses_only_the_allowed_ones_are_tried() -> None:
    """A public address beside a private one is no way to the private one."""
    opened = [ipaddress.ip_network("127.0.0.2/32")]
    assert left(["10.0.0.1", "127.0.0.1", "127.0.0.2", "fd00::1"], opened) == ["127.0.0.2"]
    with pytest.raises(TransportError, match=r"10\.0\.0\.1 \(private\)"):
        left(["10.0.0.1", "127.0.0.1"], opened)


def test_public_addresses_are_not_refused() -> None:
    """What the guard is not there for passes."""
    public = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
              "169.253.255.255", "192.167.1.1", "223.255.255.255", "2606:4700:4700::1111",
              "2a00:1450:4001::1", "2001:4860:4860::8888", "2001:200::1", "2003::1"]  # fmt: skip
    assert left(public) == public


def test_an_opened_network_is_reached() -> None:
    """The operator's setting lets data in there, and only there."""
    with Server(echo) as server:
        with closing(NetworkTransport(private_networks=[LOOPBACK])) as transport:
            url = f"http://127.1:{server.port}/"
            assert transport.send(request(url, is_guarded=True)).status == 200
            mapped = f"http://[::ffff:127.0.0.1]:{server.port}/"
            assert failure(transport, request(mapped, is_guarded=True)).kind == "address"
        assert server.accepted == 1


def test_guarded_and_unguarded_requests_share_no_connection() -> None:
    """A kept connection to a private address is not lent to data."""
    with Server(echo) as server, closing(NetworkTransport()) as transport:
        assert transport.send(request(server.url)).status == 200
        assert failure(transport, request(server.url, is_guarded=True)).kind == "address"
        assert transport.send(request(server.url)).status == 200
        assert server.accepted == 1


def test_nor_does_an_unguarded_one_use_a_guarded_connection() -> None:
    """Each has its own, so that neither can tell what the other did."""
    with Server(echo) as server:
        with closing(NetworkTransport(private_networks=[LOOPBACK])) as transport:
            for is_guarded in (True, False, True, False):
                transport.send(request(server.url, is_guarded=is_guarded))
        assert server.accepted == 2


def test_an_address_that_is_refused_is_not_tried_in_vain() -> None:
    """An unguarded request gets as far as the refusal of the connection, a guarded one does not."""
    url = f"http://127.0.0.1:{closed_port()}/"
    with closing(NetworkTransport()) as transport:
        assert failure(transport, request(url)).kind == "connection"
        assert failure(transport, request(url, is_guarded=True)).kind == "address"


def test_data_does_not_lead_to_this_application() -> None:
    """A url that begins with `/` is for the flow's author to write."""

    class Nobody:
        def send(self, request: Request) -> Response:
            pytest.fail(request.url)

    routing = RoutingTransport(Nobody(), Nobody())
    assert failure(routing, request("/v1/open/flow", is_guarded=True)).kind == "address"


@given(st.ip_addresses(v=4))
def test_no_form_of_an_ipv4_address_is_public_in_ipv6(address: ipaddress.IPv4Address) -> None:
    """Mapped, compatible, translated, NAT64, 6to4 and Teredo forms are refused, all of them."""
    number = int(address)
    prefixes = ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::")
    forms = [int(ipaddress.IPv6Address(prefix)) + number for prefix in prefixes]
    forms += [(0x2002 << 112) + (number << 80), (0x20010000 << 96) + number]
    assert all(refusal(ipaddress.IPv6Address(form)) for form in forms)


@given(st.ip_addresses())
def test_the_standard_library_agrees(address: Address) -> None:
    """What it calls private, multicast, reserved or the like is refused here, and a little more."""
    marks = ("is_private", "is_multicast", "is_reserved", "is_loopback", "is_link_local")
    if any(getattr(address, mark) for mark in (*marks, "is_unspecified")):
        assert refusal(address)


def test_the_resolver_of_the_system_is_the_one_that_is_guarded() -> None:
    """The guard passes on what the system says of a public address."""
    assert guarded(resolve, ())("8.8.8.8", 53)[0][4] == ("8.8.8.8", 53)
