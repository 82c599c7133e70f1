"""The direction of imports: the plan of the house, kept by a test."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"

FLOORS = (
    ("app", "wiring config"),
    (
        "cli",
        "wiring web catalog config durations errors language process runs runtime strict_json "
        "words yaml",
    ),
    (
        "wiring",
        "web process startup runs catalog engine runtime database http python config "
        "native_threads errors",
    ),
    ("web", "catalog config errors http runs runtime strict_json yaml"),
    ("process", "catalog config database errors runs"),
    ("startup", "config errors runs"),
    ("runs", "catalog engine errors expression language native_threads runtime strict_json"),
    ("catalog", "config engine errors expression language runtime verbs words yaml"),
    ("engine", "errors expression language runtime yaml"),
    ("verbs", "database errors expression http language python runtime strict_json words yaml"),
    ("runtime", "config database expression http language python strict_json"),
    ("database", "expression language native_threads"),
    ("http", "config strict_json"),
    ("python", "strict_json"),
    ("language", "config durations errors expression strict_json words yaml"),
    ("config", "durations errors"),
    ("yaml", ""),
    ("expression", "strict_json words"),
    ("durations", ""),
    ("native_threads", ""),
    ("strict_json", ""),
    ("words", ""),
    ("errors", ""),
)
"""A folder or a file of ``app/``, and those further down in this list that it may import."""

ALLOWED = {part: frozenset(below.split()) for part, below in FLOORS}

LIBRARIES = {
    "flask": {"app", "web", "wiring"},
    "click": {"cli"},
    "dotenv": {"config"},
    "werkzeug": {"web"},
    "gunicorn": {"web"},
    "gevent": {"native_threads", "http", "web"},
    "geventhttpclient": {"http"},
    "sqlite3": {"database", "runs"},
    "sqlalchemy": {"database"},
    "pymysql": {"database"},
    "psycopg": {"database"},
    "redis": {"runs"},
    "celery": {"runs"},
    "kombu": {"runs"},
    "marshmallow": {"catalog", "language", "verbs"},
    "yaml": {"config", "yaml"},
}
"""Library → the parts that may import it."""

FILES = sorted(APP.rglob("*.py"))


def part_of(file: Path) -> str:
    """``language`` for ``app/language/url.py``, ``errors`` for ``app/errors.py``."""
    parts = file.relative_to(APP).parts
    return "app" if parts == ("__init__.py",) else parts[0].removesuffix(".py")


def imports_of(file: Path) -> Iterator[str]:
    """Every module a file names in an import, for types and within functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "app":
            yield from (f"app.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def module_of(file: Path) -> str:
    """``app.language.url`` for ``app/language/url.py``."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_point_one_way(file: Path) -> None:
    """A part imports only what the plan allows, and a library only where it belongs."""
    part = part_of(file)
    for module in imports_of(file):
        top, _, rest = module.partition(".")
        if top in LIBRARIES:
            assert part in LIBRARIES[top], f"{part} imports {module}"
        if top == "app" and rest:
            target = rest.partition(".")[0]
            assert target == part or target in ALLOWED[part], f"{part} imports {module}"


def test_the_plan_has_one_direction() -> None:
    """Each part may import only parts that the plan names after it, so there is no circle."""
    above: set[str] = set()
    for part, below in FLOORS:
        above.add(part)
        assert not above & set(below.split()), f"{part} imports what is above it"
    assert above == {part_of(file) for file in FILES}


def test_no_class_name_is_taken_twice() -> None:
    """One word, one meaning: no two public classes share a name."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module_of(file))
    assert not {name: files for name, files in found.items() if len(files) > 1}


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_pattern_is_one_that_an_old_python_gets_wrong(file: Path) -> None:
    """Before 3.11.5, ``(?:…)*+`` and ``(?>…)`` go wrong if they hold a look-around: use none."""
    for value in vars(importlib.import_module(module_of(file))).values():
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, re.Pattern):
                tree = repr(re._parser.parse(each.pattern, each.flags))  # type: ignore[attr-defined]
                assert not re.search("POSSESSIVE_REPEAT|ATOMIC_GROUP", tree), each.pattern


IMPORT_EACH_ALONE = """
import importlib, os, sys
failed = 0
for module in sys.argv[1:]:
    if child := os.fork():
        failed += os.waitpid(child, 0)[1] != 0
        continue
    try:
        importlib.import_module(module)
    except BaseException as error:
        print(f"{module}: {error!r}", flush=True)
        os._exit(1)
    os._exit(0)
sys.exit(failed > 0)
"""


def test_every_module_can_be_imported_first() -> None:
    """No order of imports matters: each module is the first of its interpreter to be imported."""
    modules = [module_of(file) for file in FILES]
    command = [sys.executable, "-W", "error", "-c", IMPORT_EACH_ALONE, *modules]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
