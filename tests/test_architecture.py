"""The direction of imports: the house's plan, kept by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"

ALLOWED = {
    "app": {"*"},
    "runtime": {"catalog", "databases", "errors", "outside", "presence", "service", "settings",
                "sweeper", "tokens", "watch"},
    "boot": {"errors", "settings", "stores", "tokens", "variables"},
    "cli": {"callback", "catalog", "config", "create_app", "engine", "envelope", "errors",
            "instance", "json_text", "outside", "presence", "runtime", "service", "settings",
            "spec", "step", "steps", "sweeper", "tokens", "token_file", "view"},
    "config": {"errors"},
    "web": {"catalog", "content", "envelope", "errors", "execution", "form_text", "instance",
            "json_text", "outside", "service", "spec", "tokens", "transport", "transports", "view"},
    "view": {"engine", "errors", "execution", "instance", "json_text", "presence", "service"},
    "envelope": {"json_text", "service"},
    "sweeper": {"errors", "execution", "instance", "presence", "service", "store"},
    "service": {"callback", "catalog", "engine", "errors", "execution", "executor", "expression",
                "instance", "json_text", "spec", "store"},
    "execution": {"callback", "catalog", "engine", "errors", "instance", "json_text", "presence",
                  "store"},
    "callback": {"instance", "json_text"},
    "catalog": {"engine", "errors", "linking", "spec"},
    "linking": {"engine", "spec"},
    "outside": {"expression", "secret_files", "spec"},
    "databases": {"database", "expression", "offload", "spec"},
    "database": {"sql_text"},
    "engine": {"content", "database", "errors", "expression", "instance", "json_text", "python",
               "secret_files", "spec", "step", "transport"},
    "steps": {"content", "database", "engine", "errors", "expression", "form_text", "json_text",
              "python", "spec", "sql_text", "step", "transport"},
    "step": {"engine", "expression", "spec", "steps"},
    "spec": {"errors", "expression", "json_text", "step", "steps", "tls"},
    "expression": {"json_text"},
    "transports": {"content", "tls", "transport"},
    "transport": {"content", "tls"},
    "pythons": {"json_text", "python"},
    "content": {"form_text", "json_text"},
    "stores": {"errors", "instance", "offload", "store"},
    "executors": {"errors", "executor"},
    "store": {"errors", "instance"},
    "executor": {"errors"},
    "tokens": {"errors", "token_file"},
    "token_file": {"errors", "spec"},
    "settings": {"errors", "variables"},
    "variables": {"token_file", "tokens"},
}  # fmt: skip
"""Part → the parts it may import; a part that is not listed imports none."""

LIBRARIES = {
    "flask": {"app", "cli", "web"},
    "click": {"cli"},
    "dotenv": {"config"},
    "werkzeug": {"web"},
    "gunicorn": {"web"},
    "gevent": {"offload", "transports", "web"},
    "geventhttpclient": {"transports"},
    "sqlite3": {"databases", "stores"},
    "sqlalchemy": {"databases"},
    "pymysql": {"databases"},
    "psycopg": {"databases"},
    "redis": {"stores"},
    "celery": {"executors"},
    "kombu": {"executors"},
    "marshmallow": {"spec", "step", "steps", "token_file"},
    "yaml": {"spec", "token_file"},
}
"""Library → the parts that may import it."""


def part_of(file: Path) -> str:
    """``spec`` for ``app/spec/yaml.py``, ``service`` for ``app/service.py``."""
    relative = file.relative_to(APP)
    return (
        relative.parts[0].removesuffix(".py")
        if relative.name != "__init__.py" or len(relative.parts) > 1
        else "app"
    )


def imports_of(file: Path) -> set[str]:
    """Every module a file names in an import, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "app":
                found.update(f"app.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize(
    "file", sorted(APP.rglob("*.py")), ids=lambda file: str(file.relative_to(APP))
)
def test_imports_point_one_way(file: Path) -> None:
    """A part imports only what the plan allows, and a library only where it belongs."""
    part = part_of(file)
    allowed = ALLOWED.get(part, set())
    for module in imports_of(file):
        top, _, rest = module.partition(".")
        if top in LIBRARIES:
            assert part in LIBRARIES[top], f"{part} imports {module}"
        if top == "app" and rest and "*" not in allowed:
            target = rest.partition(".")[0]
            assert target == part or target in allowed, f"{part} imports {module}"
