"""``GET /health``: is it up, and which flow files are broken. No token, so it names no more."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response

from app.catalog.catalog import Catalog, CatalogEntry
from app.catalog.services import Services
from app.strict_json import dumps
from app.web.envelope import respond, success
from app.yaml.diagnostics import Diagnostic, Severity


def create_blueprint(catalog: Catalog, services: Services) -> Blueprint:
    """The health route."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        entries = catalog.entries()
        broken = [_broken(entry) for entry in entries if entry.is_broken]
        if services.is_broken:
            broken.append(_file(services.path.name, True, services.diagnostics))
        status = "degraded" if broken else "up"
        served = sum(entry.program is not None for entry in entries)
        return respond(success(dumps({"status": status, "flows": served, "broken": broken})))

    return blueprint


def _broken(entry: CatalogEntry) -> dict[str, object]:
    name = f"{entry.path.parent.name}/{entry.path.name}"
    return _file(name, entry.program is not None, entry.diagnostics)


def _file(name: str, served: bool, diagnostics: Iterable[Diagnostic]) -> dict[str, object]:
    """Where the errors are, without their messages: these may quote the file."""
    return {
        "file": name,
        "served": served,
        "errors": [
            {"line": diagnostic.line, "column": diagnostic.column, "code": diagnostic.code}
            for diagnostic in diagnostics
            if diagnostic.severity is Severity.ERROR
        ],
    }
