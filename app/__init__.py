"""Siteswap: one YAML file becomes an HTTP endpoint.

Importing one module of it imports what that module needs, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from app.config.settings import Settings


def create_app(settings: Settings | None = None, **parts: Any) -> Flask:
    """The Flask application; arguments and errors are those of :func:`app.wiring.create_app`."""
    from app.wiring import create_app

    return create_app(settings, **parts)
