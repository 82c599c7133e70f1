"""TLS: certificates are checked, and time is bounded there too."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.config.tls import Tls, context_of, trusted_context
from app.http.client.transport import NetworkTransport
from app.http.message import TransportError
from tests.certificates import Authority
from tests.transports.requests import failure, request
from tests.transports.servers import Server, Talk, answer, closing_after, echo, hanging

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("install openssl to run this test")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def transport(certificate: Path) -> Iterator[NetworkTransport]:
    """A transport that trusts the certificate."""
    transport = NetworkTransport(tls=lambda: ssl.create_default_context(cafile=certificate))
    with closing(transport):
        yield transport


def under_tls(certificate: Path, talk: Callable[[ssl.SSLSocket], None]) -> Talk:
    """The same conversation, after a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            talk(secured)

    return serve


def secure(server: Server) -> str:
    """The server's address as an https url."""
    return server.url.replace("http:", "https:")


def test_requests_over_tls(transport: NetworkTransport, certificate: Path) -> None:
    """Large bodies go both ways, and the connection is used again."""
    body = bytes(range(256)) * 2000
    with Server(under_tls(certificate, echo)) as server:
        for _ in range(3):
            wanted = request(f"{secure(server)}/a", "POST", body)
            assert transport.send(wanted).body.endswith(body)
        transport.close()
    assert server.accepted == 1


def test_an_unknown_certificate_is_refused(certificate: Path) -> None:
    """By default only known authorities are trusted; nothing of the request is sent."""
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(1))

    with (
        closing(NetworkTransport()) as transport,
        Server(under_tls(certificate, listen)) as server,
    ):
        error = failure(transport, request(f"{secure(server)}/?token=secret"))
    assert error.kind == "connection"
    assert error.message == (
        f"127.0.0.1:{server.port}: TLS: the certificate was not accepted "
        "(self-signed certificate) while agreeing on TLS"
    )
    assert heard == []


def test_a_certificate_for_another_host(transport: NetworkTransport, certificate: Path) -> None:
    """A trusted certificate must also be for the host that was asked for."""
    with Server(under_tls(certificate, echo)) as server:
        error = failure(transport, request(f"https://localhost:{server.port}/"))
    assert "TLS: the certificate was not accepted (Hostname mismatch" in error.message


def test_ssl_cert_file_decides_alone(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SSL_CERT_FILE names authorities, those are trusted and no others."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    everybody = len(trusted_context().get_ca_certs())
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    assert everybody > len(trusted_context().get_ca_certs()) == 1
    with (
        Server(under_tls(certificate, echo)) as server,
        closing(NetworkTransport()) as transport,
    ):
        assert transport.send(request(secure(server))).status == 200


@pytest.mark.parametrize(
    "extensions",
    [
        ["basicConstraints = CA:TRUE"],
        ["basicConstraints = critical, CA:TRUE"],
        ["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign"],
        ["basicConstraints = CA:TRUE", "keyUsage = keyCertSign", "subjectKeyIdentifier = hash"],
    ],
)
def test_an_authority_that_is_named_is_trusted_whatever_its_form(
    tmp_path: Path, extensions: list[str]
) -> None:
    """Authorities of a company's own lack things that RFC 5280 wants; each Python takes them."""
    authority = Authority(tmp_path / "authority", extensions)
    leaf = authority.sign("leaf")
    assert _answers(leaf, context_of(Tls(ca=authority.path)))


def test_an_authority_below_another_may_be_the_one_that_is_named(tmp_path: Path) -> None:
    """What is named is trusted by itself, also where what signed it is not known."""
    authority = Authority(tmp_path)
    middle = authority.sign("middle", "critical,CA:TRUE")
    leaf = authority.sign("leaf", by=middle)
    assert _answers(leaf, context_of(Tls(ca=middle)))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_an_authority_of_the_system_is_trusted_whatever_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A company's authority may be known to the system rather than to ``services.yaml``."""
    authority = Authority(tmp_path / "made", ["basicConstraints = CA:TRUE"])
    leaf = authority.sign("leaf")
    folder = tmp_path / "known"
    folder.mkdir()
    shutil.copy(authority.path, folder)
    subprocess.run(["openssl", "rehash", str(folder)], check=True)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(folder / "ca.pem" if variable.endswith("FILE") else folder))
    assert _answers(leaf, trusted_context())


def test_a_certificate_of_one_that_is_no_authority(tmp_path: Path) -> None:
    """Whatever else is overlooked, what may not sign signs nothing."""
    authority = Authority(tmp_path)
    leaf = authority.sign("leaf", by=authority.sign("no authority"))
    with pytest.raises(TransportError, match="certificate was not accepted"):
        _answers(leaf, context_of(Tls(ca=authority.path)))


def _answers(leaf: Path, context: ssl.SSLContext) -> bool:
    """Whether a server with this certificate is trusted; else the request fails."""
    own = leaf.with_suffix(".both")
    own.write_text(leaf.read_text() + leaf.with_suffix(".key").read_text())
    with (
        Server(under_tls(own, echo)) as server,
        closing(NetworkTransport(tls=lambda: context)) as transport,
    ):
        return transport.send(request(secure(server))).status == 200


def test_plain_http_behind_https(transport: NetworkTransport) -> None:
    """The sentence says that TLS failed, not the connection."""
    with Server(lambda connection: connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")) as server:
        error = failure(transport, request(secure(server)))
    assert error.kind == "connection"
    assert "TLS failed (wrong version number) while agreeing on TLS" in error.message


def test_a_handshake_that_hangs(transport: NetworkTransport) -> None:
    """The handshake is part of the time."""
    with Server(hanging()) as server:
        error = failure(transport, request(secure(server), timeout=0.3))
    assert error.kind == "timeout"
    assert "timed out after 0.3 s while agreeing on TLS" in error.message


def test_a_peer_that_leaves_within_the_handshake(transport: NetworkTransport) -> None:
    """It is a failed connection, not a failed certificate."""
    with Server(lambda connection: None) as server:
        error = failure(transport, request(secure(server)))
    assert error.kind == "connection"
    assert error.message.endswith("while agreeing on TLS")


def secured_by_hand(
    certificate: Path, talk: Callable[[socket.socket, Callable[[bytes], bytes]], None]
) -> Talk:
    """A handshake and a request, then a talk that sends enciphered bytes when it likes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        request = b""
        while not request:
            incoming.write(connection.recv(65536))
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                request = tls.read(65536)
            connection.sendall(outgoing.read())

        def encipher(data: bytes) -> bytes:
            tls.write(data)
            return outgoing.read()

        talk(connection, encipher)

    return serve


def test_a_record_that_drips(transport: NetworkTransport, certificate: Path) -> None:
    """Fragments of one TLS record do not prolong the time, however many come."""

    def drip(connection: socket.socket, encipher: Callable[[bytes], bytes]) -> None:
        for byte in encipher(answer(bytes(1000))):
            connection.sendall(bytes([byte]))
            threading.Event().wait(0.02)

    with Server(secured_by_hand(certificate, drip)) as server:
        error = failure(transport, request(secure(server), timeout=0.3))
    assert error.kind == "timeout"


def test_a_second_record_is_not_the_next_answer(
    transport: NetworkTransport, certificate: Path
) -> None:
    """What came enciphered behind an answer ends the connection, though the socket is silent."""

    def forge(connection: socket.socket, encipher: Callable[[bytes], bytes]) -> None:
        connection.sendall(encipher(answer(b"x")) + encipher(answer(b"forged")))
        connection.recv(65536)

    with Server(secured_by_hand(certificate, forge)) as server:
        for _ in range(2):
            assert transport.send(request(secure(server))).body == b"x"
    assert server.accepted == 2


@pytest.mark.parametrize("is_tolerant", [True, False])
@pytest.mark.parametrize("is_proper", [True, False])
def test_an_end_without_notice_is_no_end(
    certificate: Path, is_proper: bool, is_tolerant: bool
) -> None:
    """A body that ends with the connection ends with TLS's own notice, else it was cut off.

    OpenSSL can be told to overlook that, and some versions of Python tell it so by themselves.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if is_tolerant:
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF

    def talk(connection: ssl.SSLSocket) -> None:
        closing_after(UNTIL_CLOSE + b"abc")(connection)
        if is_proper:
            connection.unwrap()

    with (
        Server(under_tls(certificate, talk)) as server,
        closing(NetworkTransport(tls=lambda: context)) as transport,
    ):
        if is_proper:
            assert transport.send(request(secure(server))).body == b"abc"
        else:
            error = failure(transport, request(secure(server)))
            assert error.kind == "connection"
            assert error.message == (
                f"127.0.0.1:{server.port}: TLS failed (unexpected eof while reading) "
                "within the answer's body, after 3 bytes"
            )


def test_a_connection_closed_while_idle(transport: NetworkTransport, certificate: Path) -> None:
    """Under TLS, too, a POST finds out before it is sent."""
    is_closed = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        closing_after(answer(b"x"))(connection)
        connection.close()
        is_closed.set()

    with Server(under_tls(certificate, talk)) as server:
        for _ in range(2):
            assert transport.send(request(secure(server), "POST")).body == b"x"
            assert is_closed.wait(5)
    assert server.accepted == 2
