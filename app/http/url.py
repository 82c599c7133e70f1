"""Where an absolute URL leads: the origin to connect to, and the target to ask it for.

No sentence raised here repeats the URL: its query and its user part may hold secrets.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from app.http.message import TransportError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]%]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN_TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
_KEPT_CHARACTERS = "!$%&'()*+,/:;=?@~"


class Origin(NamedTuple):
    """Who answers: what one connection can be used for, again and again."""

    scheme: str
    host: str
    """A host name in ASCII, or an IP address without brackets."""
    port: int

    @property
    def place(self) -> str:
        """``host:port``, as a person reads it in an error."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header: the port only where it is not the scheme's own."""
        return self._bracketed if self.port == _DEFAULT_PORTS[self.scheme] else self.place

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def split_url(url: str) -> tuple[Origin, str]:
    """Split an absolute URL into its origin and the request target (path and query).

    The fragment is dropped; characters that a target may not hold are percent-encoded.

    Raises:
        TransportError: kind ``request``; it is no http or https URL that can be sent.
    """
    match = _URL.fullmatch(url)
    if match is None or _CONTROL.search(url):
        raise _refused("the URL is not of the form http://host/path, without control characters")
    scheme, authority, target = match.groups()
    return _origin(scheme, authority), quoted_target(target)


def quoted_target(text: str) -> str:
    """Path and query with every character percent-encoded that they may not hold.

    Raises:
        TransportError: kind ``request``; the text cannot be encoded.
    """
    if not text.startswith("/"):
        text = "/" + text
    if _PLAIN_TARGET.fullmatch(text):
        return text
    try:
        return quote(text, safe=_KEPT_CHARACTERS)
    except UnicodeEncodeError:
        raise _refused("the URL holds half a character (a lone surrogate)") from None


@lru_cache(maxsize=1024)
def _origin(scheme: str, authority: str) -> Origin:
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise _refused(f"the URL's scheme is {scheme[:20]!r}: only http and https can be called")
    if "@" in authority:
        raise _refused("the URL holds a user name: write an Authorization header instead")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _refused("the URL's host and port are not of the form host:port")
    host, digits = match.groups()
    port = int(digits) if digits else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise _refused(f"the URL's port {port} is not between 1 and 65535")
    return Origin(scheme, _host(host), port)


def _host(text: str) -> str:
    if text.startswith("["):
        return _ipv6(text[1:-1])
    try:
        name = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _HOST_NAME.fullmatch(name):
        raise _refused(f"the URL's host {text[:80]!r} is not a host name")
    return name.lower()


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise _refused(f"the URL's host [{text[:80]}] is not an IPv6 address") from None


def _refused(sentence: str) -> TransportError:
    return TransportError("request", sentence)
