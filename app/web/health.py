"""``GET /health``: is it up, and which flow files are broken. No token, so it names no more."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response

from app import envelope
from app.catalog import Catalog, Entry
from app.json_text import dumps
from app.outside import Outside
from app.spec.diagnostics import Finding, Severity
from app.web.errors import respond


def create_blueprint(catalog: Catalog, outside: Outside) -> Blueprint:
    """The health route."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        entries = catalog.entries()
        broken = [_broken(entry) for entry in entries if entry.is_broken]
        if outside.is_broken:
            broken.append(_file(outside.path.name, True, outside.findings))
        status = "degraded" if broken else "up"
        served = sum(entry.program is not None for entry in entries)
        return respond(
            envelope.success(dumps({"status": status, "flows": served, "broken": broken}))
        )

    return blueprint


def _broken(entry: Entry) -> dict[str, object]:
    name = f"{entry.path.parent.name}/{entry.path.name}"
    return _file(name, entry.program is not None, entry.findings)


def _file(name: str, served: bool, findings: Iterable[Finding]) -> dict[str, object]:
    """Where the mistakes are, but not what they are: a message may quote the file."""
    return {
        "file": name,
        "served": served,
        "errors": [
            {"line": finding.line, "column": finding.column, "code": finding.code}
            for finding in findings
            if finding.severity is Severity.ERROR
        ],
    }
