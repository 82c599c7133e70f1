"""The TLS files of a service, and the contexts that are made of them."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import certifi


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of one service, as absolute paths.

    ``ca`` names the only authorities that are trusted; ``cert`` and ``key`` are shown to servers
    that ask who calls, and may be one file. ``digest`` names the contents of them all: a
    connection made with other contents is not used again.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True
    digest: str = ""

    @property
    def files(self) -> Iterator[tuple[str, Path]]:
        """The files that are named, each with its key in ``tls``."""
        for key in ("ca", "cert", "key"):
            path = getattr(self, key)
            if path is not None:
                yield key, path


def trusted_context() -> ssl.SSLContext:
    """Trust the system's certificate authorities and certifi's.

    Where ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` is set, only those that it names.
    """
    context = _context()
    if not ("SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ):
        context.load_verify_locations(certifi.where())
    return context


def _context(ca: Path | None = None) -> ssl.SSLContext:
    """The default context, made to accept the same authorities on each version of Python.

    From 3.13 on, Python refuses authorities whose certificates are not in the form of RFC 5280
    (basic constraints that are not critical, no key usage, no key identifier). Many that companies
    make for themselves are not, and are trusted all the same: the operator names them. Before 3.13,
    Python wants the whole chain up to a root; from then on, any certificate that is named may end
    it. Signatures, dates, host names and the right to sign are checked by every version.
    """
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def context_of(tls: Tls) -> ssl.SSLContext:
    """A context that trusts the authorities in the files, and shows their certificate.

    Raises:
        OSError: a file cannot be read, or does not hold what it should (``ssl.SSLError``).
    """
    context = _context(tls.ca) if tls.ca else trusted_context()
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        # Without a password, OpenSSL would ask for that of an encrypted key at the terminal.
        context.load_cert_chain(tls.cert, tls.key, password="")
    return context


def digest_of(tls: Tls) -> str:
    """The digest of what the files hold now.

    Raises:
        OSError: one cannot be read.
    """
    contents = [path.read_bytes() for _, path in tls.files]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


class TlsIssue(NamedTuple):
    """What is wrong with a file; ``key`` names it in ``tls``."""

    key: str
    is_readable: bool
    sentence: str


def tls_issues(tls: Tls) -> list[TlsIssue]:
    """What is wrong with the files: that one cannot be read, or else what they hold."""
    return list(_unreadable(tls)) or list(_unusable(tls))


def _unreadable(tls: Tls) -> Iterator[TlsIssue]:
    for key, path in tls.files:
        try:
            path.read_bytes()
        except OSError as error:
            yield TlsIssue(key, False, f"{path.name} cannot be read: {error.strerror}")


def _unusable(tls: Tls) -> Iterator[TlsIssue]:
    if tls.ca is not None and not _is_usable(Tls(ca=tls.ca)):
        yield TlsIssue("ca", True, f"{tls.ca.name} holds no certificate in PEM form")
    if tls.cert is not None and not _is_usable(Tls(cert=tls.cert, key=tls.key)):
        key = f"the unencrypted key in {tls.key.name}" if tls.key else "its unencrypted key"
        sentence = f"{tls.cert.name} holds no certificate in PEM form that goes with {key}"
        yield TlsIssue("cert", True, sentence)


def _is_usable(tls: Tls) -> bool:
    try:
        context_of(tls)
    except (OSError, ValueError):
        return False
    return True
