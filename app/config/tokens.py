"""Named tokens: who may call which flows. Only digests are kept, so a copied file opens nothing.

A token is 256 random bits, which nobody guesses, so one plain SHA-256 is enough: the slow hashes
that passwords need would be paid on every request. A digest is looked up in a table; what the time
of that tells a caller is about a digest, not about a token.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from app.config.token_file import (
    NAME,
    PATTERN,
    Token,
    TokenError,
    only_writer,
    parse_moment,
    read_tokens,
    write_tokens,
)

PREFIX = "sws_"
"""Begins every token made here, so that secret scanners can tell what a leaked one is."""

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_Signature = tuple[int, int, int, int]


def random_token() -> str:
    """A new token: safe in a URL query, in a header and between shell quotes."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """SHA-256 as hex of any text at all, lone surrogates included."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def parse_expiry(text: str, now: float) -> float:
    """The end of ``30d``, ``12h``, ``2026-12-31`` or an ISO date-time, in seconds since the epoch.

    Raises:
        TokenError: it is none of these, or is over already.
    """
    try:
        span = _SPAN.fullmatch(text)
        end = now + int(span[1]) * _SECONDS[span[2]] if span else parse_moment(text)
    except (ValueError, OverflowError):
        raise TokenError(f"{text!r} is not a time; write 30d, 12h or 2026-12-31") from None
    if end <= now:
        raise TokenError(f"{text!r} is in the past")
    return end


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, known by a token."""

    name: str
    patterns: tuple[str, ...] = ()

    def may_call(self, flow_key: str) -> bool:
        """Whether a pattern covers this flow; no pattern at all covers every flow."""
        return not self.patterns or any(fnmatchcase(flow_key, each) for each in self.patterns)


class TokenRegistry:
    """The tokens of a file and of the environment.

    Making one reads nothing: call :meth:`load` where a broken file must stop the start, and
    :meth:`refresh` where it must not. Safe to use from many threads; other processes that change
    the file are noticed by ``refresh``.
    """

    def __init__(
        self,
        path: Path,
        inline: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        make_token: Callable[[], str] = random_token,
        log: logging.Logger | None = None,
    ) -> None:
        """``inline`` maps names to SHA-256 hex digests."""
        self._path = path
        self._inline = tuple(
            Token(name, sha256, inline=True) for name, sha256 in (inline or {}).items()
        )
        self._clock = clock
        self._make_token = make_token
        self._log = log or logging.getLogger(__name__)
        self._seen: _Signature | None = None
        self._use(())

    def authenticate(self, token: str, now: float) -> Caller | None:
        """Who this token stands for; ``None`` if nobody, or it has expired at ``now``."""
        known = self._known.get(digest_of(token))
        if known is None or known[0].is_expired(now):
            return None
        return known[1]

    def load(self) -> None:
        """Read the file; no file is no tokens.

        Raises:
            TokenError: it cannot be read, or holds mistakes; all of them are told.
        """
        # Taken before the content: a change in between is seen as a change next time.
        self._seen = self._signature()
        self._use(self._read())

    def refresh(self) -> None:
        """Read the file again if it has changed: one ``stat`` if not. Called every second.

        A broken file is logged once, and the tokens read before stay valid.
        """
        if self._signature() == self._seen:
            return
        try:
            self.load()
        except TokenError as error:
            self._log.error("%s; the tokens read before stay valid", error.message)

    def list(self) -> tuple[Token, ...]:
        """Every token, those of the file first, as they are now.

        Raises:
            TokenError: as :meth:`load`.
        """
        return (*self._read(), *self._inline)

    def new(self, name: str, flows: Sequence[str] = (), expires: float | None = None) -> str:
        """Add a token to the file and return its text, which cannot be had a second time.

        Raises:
            TokenError: the name is taken or not a name, a pattern cannot match a flow key, or the
                file cannot be read or written.
        """
        _check(name, flows)
        text = self._make_token()
        token = Token(name, digest_of(text), tuple(flows), self._clock(), expires)

        def add(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            if any(name == taken.name for taken in (*tokens, *self._inline)):
                raise TokenError(f"there is a token named {name} already")
            return (*tokens, token)

        self._change(add)
        return text

    def revoke(self, name: str) -> None:
        """Take a token out of the file; running servers refuse it within a second or two.

        Raises:
            TokenError: the file has no token of this name, or cannot be read or written.
        """

        def remove(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            kept = tuple(token for token in tokens if token.name != name)
            if len(kept) == len(tokens):
                raise TokenError(self._why_unknown(name))
            return kept

        self._change(remove)

    def _change(self, edit: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        try:
            with only_writer(self._path):
                tokens = edit(self._read())
                write_tokens(self._path, tokens)
        except OSError as error:
            raise TokenError(f"{self._path} cannot be written: {error.strerror}") from error
        self._use(tokens)

    def _why_unknown(self, name: str) -> str:
        if any(name == token.name for token in self._inline):
            return f"the token {name} is set in SITESWAP_TOKENS; take it out there"
        return f"there is no token named {name}"

    def _use(self, tokens: tuple[Token, ...]) -> None:
        # One assignment: a request sees the tokens of before or of after, never a part.
        self._known = {
            token.sha256: (token, Caller(token.name, token.flows))
            for token in (*tokens, *self._inline)
        }

    def _read(self) -> tuple[Token, ...]:
        try:
            return read_tokens(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokenError(f"{self._path} cannot be read: {error.strerror}") from error
        except TokenError as error:
            lines = error.message.splitlines()
            raise TokenError("\n".join(f"{self._path}: {line}" for line in lines)) from None

    def _signature(self) -> _Signature | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def ensure_first_token(registry: TokenRegistry) -> str | None:
    """Make the token ``first`` if there is no token at all, and return its text; else ``None``.

    Raises:
        TokenError: as :meth:`TokenRegistry.new`.
    """
    return None if registry.list() else registry.new("first")


def _check(name: str, flows: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise TokenError(
            "a token's name has up to 64 letters, digits, dots, dashes and underscores, "
            "and begins with a letter or a digit"
        )
    for pattern in flows:
        if not PATTERN.fullmatch(pattern):
            raise TokenError(f"{pattern!r} is not a flow key or a pattern such as order_*")
