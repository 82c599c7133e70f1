"""``flask flow …`` and ``flask token …``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from app.cli.flow import flow_group
from app.cli.token import token_group

if TYPE_CHECKING:
    from app.config.tokens import TokenRegistry
    from app.process import Siteswap


def install(app: Flask, siteswap: Siteswap) -> None:
    """Add the commands to Flask's own command line."""

    def registry() -> TokenRegistry:
        siteswap.tokens.load()
        return siteswap.tokens

    app.cli.add_command(flow_group(siteswap))
    app.cli.add_command(token_group(registry))
