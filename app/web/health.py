"""``GET /health``: is it up, and which flow files are broken. No token, so it names no more."""

from __future__ import annotations

from flask import Blueprint, Response

from app import envelope
from app.catalog import Catalog, Entry
from app.json_text import dumps
from app.spec.diagnostics import Severity
from app.web.errors import respond


def create_blueprint(catalog: Catalog) -> Blueprint:
    """The health route."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        entries = catalog.entries()
        broken = [_broken(entry) for entry in entries if entry.is_broken]
        status = "degraded" if broken else "up"
        served = sum(entry.program is not None for entry in entries)
        return respond(
            envelope.success(dumps({"status": status, "flows": served, "broken": broken}))
        )

    return blueprint


def _broken(entry: Entry) -> dict[str, object]:
    """Where the mistakes are, but not what they are: a message may quote the file."""
    return {
        "file": f"{entry.path.parent.name}/{entry.path.name}",
        "served": entry.program is not None,
        "errors": [
            {"line": finding.line, "column": finding.column, "code": finding.code}
            for finding in entry.findings
            if finding.severity is Severity.ERROR
        ],
    }
