"""Secrets from the environment and from a folder of files, as Docker and Kubernetes mount them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.secrets import MAX_BYTES, Secrets


def read(folder: Path, **given: str) -> Secrets:
    """The secrets of a folder, with those of an environment."""
    secrets = Secrets(given, folder)
    secrets.refresh()
    return secrets


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b"abc\n\n", "abc\n"),
        (b" abc ", " abc "),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_a_file_holds_a_secret(tmp_path: Path, content: bytes, value: str) -> None:
    """One line end is dropped, because editors and ``echo`` add it; everything else counts."""
    (tmp_path / "KEY").write_bytes(content)
    assert read(tmp_path).values == {"KEY": value}


def test_what_is_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each file that flows cannot read is told once, without a word of its content."""
    files = {
        "tls.crt": b"hidden words",
        "db-password": b"hidden words",
        "BINARY": b"hidden \xff",
        "LARGE": b"hidden" * MAX_BYTES,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "EMPTY").touch()
    (tmp_path / ".hidden").write_text("x")
    secrets = read(tmp_path)
    secrets.refresh()
    assert secrets.values == {}
    told = sorted(record.getMessage() for record in caplog.records)
    assert [message.split(" ")[0] for message in told] == sorted(
        str(tmp_path / name) for name in files
    )
    assert not any("hidden" in message.partition(" ")[2] for message in told)


def test_the_environment_wins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where both have a secret, and a warning says that the file is not used."""
    (tmp_path / "KEY").write_text("of the file")
    (tmp_path / "OTHER").write_text("of a file")
    assert read(tmp_path, KEY="of the environment").values == {
        "KEY": "of the environment",
        "OTHER": "of a file",
    }
    assert "is not used: SITESWAP_SECRET_KEY is set" in caplog.text


def test_changes_are_noticed(tmp_path: Path) -> None:
    """New, changed and removed files; what was a secret is still masked."""
    (tmp_path / "KEY").write_text("first")
    secrets = read(tmp_path)
    assert not secrets.refresh()
    (tmp_path / "KEY").write_text("second one")
    (tmp_path / "MORE").write_text("third")
    assert secrets.refresh()
    assert secrets.values == {"KEY": "second one", "MORE": "third"}
    (tmp_path / "MORE").unlink()
    assert secrets.refresh()
    assert secrets.values == {"KEY": "second one"}
    assert set(secrets.masked) == {"first", "second one", "third"}


def test_a_folder_that_kubernetes_changes(tmp_path: Path) -> None:
    """Names are links into ``..data``, itself a link, which is put in place at once."""

    def mount(generation: str, value: str) -> None:
        (tmp_path / generation).mkdir()
        (tmp_path / generation / "KEY").write_text(value)
        (tmp_path / "..data_tmp").symlink_to(generation)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    mount("..2026_01_01", "old")
    (tmp_path / "KEY").symlink_to("..data/KEY")
    secrets = read(tmp_path)
    assert secrets.values == {"KEY": "old"}
    mount("..2026_01_02", "new")
    assert secrets.refresh()
    assert secrets.values == {"KEY": "new"}


def test_a_folder_that_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was read stays, and the log says so once, until it is there again."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "KEY").write_text("abc")
    secrets = read(folder)
    folder.rename(tmp_path / "aside")
    assert not any(secrets.refresh() for _ in range(3))
    assert secrets.values == {"KEY": "abc"}
    assert len(caplog.records) == 1
    (tmp_path / "aside").rename(folder)
    assert not secrets.refresh()


def test_a_file_that_breaks_keeps_its_value(tmp_path: Path) -> None:
    """A secret that was good is not lost to a bad copy of it."""
    (tmp_path / "KEY").write_text("good")
    secrets = read(tmp_path)
    (tmp_path / "KEY").write_bytes(b"\xff\xfe bad")
    secrets.refresh()
    assert secrets.values == {"KEY": "good"}
