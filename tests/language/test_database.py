"""The address of a database: what it says, and that nothing else of it is ever shown."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.language.services.database import BadUrlError, Database, DatabaseSchema, Location

PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def located(url: str, **values: str) -> Location:
    """What an address says with these secrets."""
    database: Database = DatabaseSchema().load({"url": url})
    scope: Any = SimpleNamespace(env=values, secrets=values)
    return database.url.locate(scope)


@pytest.mark.parametrize(("url", "expected"), [
    ("sqlite:///data/shop.db", Location("sqlite", name="data/shop.db")),
    ("sqlite:////var/my%20shop.db", Location("sqlite", name="/var/my shop.db")),
    ("postgresql://me@db/shop", Location("postgresql", "me", None, "db", None, "shop")),
    ("postgresql+psycopg://db:5433/shop", Location("postgresql", None, None, "db", 5433, "shop")),
    ("mysql+pymysql://a%40b:c%2Fd@[::1]:3307/shop?ssl_ca=/ca.pem",
     Location("mysql", "a@b", "c/d", "::1", 3307, "shop", {"ssl_ca": "/ca.pem"})),
    ("mariadb:///shop?unix_socket=/run/db.sock",
     Location("mariadb", None, None, None, None, "shop", {"unix_socket": "/run/db.sock"})),
])  # fmt: skip
def test_an_address_is_read(url: str, expected: Location) -> None:
    """Kind, user, password, host, port, name and options."""
    assert located(url) == expected


@given(password=PASSWORDS)
def test_a_password_may_hold_any_character(password: str) -> None:
    """What comes from a secret stays the password, and is in no text about the address."""
    found = located("postgresql://me:${secrets.key}@${env.host}/shop", key=password, host="db:5")
    assert (found.password, found.host, found.port, found.name) == (password, "db", 5, "shop")
    assert len(password) < 8 or password not in repr(found)


@given(url=st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(r"[a-z+]+://\S*"))
def test_no_address_is_shown(url: str) -> None:
    """Whatever a secret holds as the whole address, an error shows at most a word of it."""
    with suppress(BadUrlError):
        located("${secrets.whole}", whole=f"{url}hunter2:hunter3")
        return
    with pytest.raises(BadUrlError, match=r"^((?!hunter).)*$"):
        located("${secrets.whole}", whole=f"{url}hunter2:hunter3")


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "psycopg" else 1)
    with pytest.raises(ValidationError) as caught:
        located("postgresql://me@db/shop")
    [problem] = caught.value.messages["url"]  # type: ignore[index, call-overload]
    assert problem.message == "psycopg is not installed"
    wanted = "write .venv/bin/pip install -e '.[postgresql]', or make run EXTRAS=postgresql"
    assert problem.hint == wanted
