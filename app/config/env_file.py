"""Settings in files, as lines ``NAME=value``: a named file, and ``.env`` in the project folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from app.errors import SettingsError

FILE_NAME = ".env"


def with_env_files(
    environ: Mapping[str, str], root: Path, env_file: Path | None = None
) -> dict[str, str]:
    """The environment, completed by ``env_file``, then by ``.env`` in ``root`` if there is one.

    What is set in the environment itself wins, then ``env_file``.

    Raises:
        SettingsError: a file cannot be read, or has a line that is not ``NAME=value``.
    """
    default = root / FILE_NAME
    files = [default] if default.exists() else []
    files += [env_file] if env_file else []
    values: dict[str, str] = {}
    for file in files:
        values.update(_read(file))
    return {**values, **environ}


def _read(file: Path) -> dict[str, str]:
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} cannot be read: it is not UTF-8 text") from None
    # `$` in a value stays as it is, as in an environment file of docker: it may be a password.
    bindings = list(parse_stream(io.StringIO(text)))
    if bad := [_line(each) for each in bindings if not _is_good(each)]:
        # Not the line itself, which may hold a secret.
        raise SettingsError("\n".join(f"{file}: line {line} is not NAME=value" for line in bad))
    return {each.key: each.value or "" for each in bindings if each.key}


def _is_good(binding: Binding) -> bool:
    is_whole = binding.key is None or binding.value is not None
    return is_whole and not binding.error and "\0" not in binding.original.string


def _line(binding: Binding) -> int:
    """Where it is; its text begins with the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
