"""How a service knows who calls: the ways of ``auth`` in ``services.yaml``.

Each makes the headers of one request, once everything else of it is known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from marshmallow import ValidationError, fields, post_load, validates_schema

from app.expression import Compiled, Issue
from app.language.fields import StrictSchema, String, TextTemplate, about, issue, validation_error
from app.language.url import text

Path = tuple[str | int, ...]

WAYS = ("bearer", "basic", "header", "hmac")


@dataclass(frozen=True, slots=True)
class Message:
    """What a signature covers: ``target`` is path and query as they are sent."""

    method: str
    target: str
    timestamp: int
    """Seconds since the epoch."""
    body: Callable[[], bytes]


class Auth(Protocol):
    """One way to show who calls."""

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        """Its templates with their paths below ``auth``, and whether each is to be kept secret."""

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        """The headers that show it.

        Raises:
            ExpressionError: a template cannot be evaluated.
        """


@dataclass(frozen=True, slots=True)
class Bearer:
    """``Authorization: Bearer <token>`` (RFC 6750)."""

    token: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        return [(("bearer",), self.token, True)]

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {text(self.token.evaluate(scope))}"}


@dataclass(frozen=True, slots=True)
class Basic:
    """``Authorization: Basic <base64 of user:password>`` (RFC 7617), in UTF-8."""

    user: Compiled
    password: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        yield ("basic", "user"), self.user, False
        yield ("basic", "password"), self.password, True

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        pair = f"{text(self.user.evaluate(scope))}:{text(self.password.evaluate(scope))}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@dataclass(frozen=True, slots=True)
class Header:
    """A header of any name, such as ``X-Api-Key``."""

    name: str
    value: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        return [(("header", "value"), self.value, True)]

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        return {self.name: text(self.value.evaluate(scope))}


@dataclass(frozen=True, slots=True)
class Hmac:
    """A signature over method, target, time and body, by HMAC-SHA256 with a shared key.

    What is signed, and the headers, are described in ``docs/services.md``.
    """

    key: Compiled
    key_id: Compiled | None = None

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        yield ("hmac", "key"), self.key, True
        if self.key_id is not None:
            yield ("hmac", "key_id"), self.key_id, False

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        key = text(self.key.evaluate(scope)).encode()
        signature = hmac.digest(key, signed(message), "sha256").hex()
        named = {"X-Key-Id": text(self.key_id.evaluate(scope))} if self.key_id else {}
        return {
            **named,
            "X-Timestamp": str(message.timestamp),
            "X-Signature": f"sha256={signature}",
        }


def signed(message: Message) -> bytes:
    """The bytes that are signed: four lines, without a line end after the last."""
    digest = hashlib.sha256(message.body()).hexdigest()
    lines = (message.method, message.target, str(message.timestamp), digest)
    return "\n".join(lines).encode()


class BasicSchema(StrictSchema):
    RECORD = Basic
    MISPLACED = {"username": "write `user` instead"}  # noqa: RUF012
    EXAMPLE = 'write `basic: {user: …, password: "${secrets.NAME}"}`'

    user = TextTemplate(required=True)
    password = TextTemplate(required=True)


class HeaderSchema(StrictSchema):
    RECORD = Header
    EXAMPLE = 'write `header: {name: X-Api-Key, value: "${secrets.NAME}"}`'

    name = String(required=True)
    value = TextTemplate(required=True)


class HmacSchema(StrictSchema):
    RECORD = Hmac
    MISPLACED = {"secret": "write `key` instead", "id": "write `key_id` instead"}  # noqa: RUF012
    EXAMPLE = 'write `hmac: {key: "${secrets.NAME}"}`'

    key = TextTemplate(required=True, metadata=about("The shared key: `${secrets.NAME}`."))
    key_id = TextTemplate(metadata=about("Which key it is, sent as `X-Key-Id`."))


class AuthSchema(StrictSchema):
    """``auth: {bearer: …}``: exactly one way."""

    MISPLACED = {  # noqa: RUF012
        "token": 'write `bearer: "${secrets.NAME}"`',
        "user": 'write `basic: {user: …, password: "${secrets.NAME}"}`',
        "api_key": 'write `header: {name: X-Api-Key, value: "${secrets.NAME}"}`',
    }
    EXAMPLE = 'write `auth: {bearer: "${secrets.NAME}"}`'

    bearer = TextTemplate(metadata=about("`Authorization: Bearer …`"))
    basic = fields.Nested(BasicSchema, metadata=about("`Authorization: Basic …`"))
    header = fields.Nested(HeaderSchema, metadata=about("A header of your own name."))
    hmac = fields.Nested(HmacSchema, metadata=about("A signature by a shared key."))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _one_way(self, _: Any, original: Any, **__: Any) -> None:
        if not isinstance(original, dict):
            return
        found = [key for key in original if key in WAYS]
        if len(found) > 1:
            words = " and ".join(f"`{key}`" for key in found)
            raise ValidationError({found[1]: [_two_ways(words)]})
        if not found and original.keys() <= self.known:
            raise validation_error(
                "missing-key", "`auth` does not say how", f"one of {', '.join(WAYS)}"
            )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return Bearer(data["bearer"]) if "bearer" in data else next(iter(data.values()))


def _two_ways(words: str) -> Issue:
    return issue("two-auths", f"a service has one way of auth, not {words}", "keep one of them")
