"""The project that a command works in: a folder, its settings, and the parts of the application.

The modules of commands import the rest of Siteswap inside their functions only: help and completion
answer at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.errors import FlowDisabled, FlowNotFound, SiteswapError

if TYPE_CHECKING:
    from app.catalog.catalog import Catalog
    from app.config.settings import Settings
    from app.config.tokens import TokenRegistry
    from app.process import Siteswap
    from app.runtime.program import Program


class Commands(click.Group):
    """Commands, shown in the order in which they were added; an expected failure is status 1."""

    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SiteswapError as error:
            raise click.ClickException(error.english) from None


class Project:
    """What a command asks for is read when it asks, so that ``--help`` reads nothing."""

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        env_file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self._environ = environ
        self._folder = folder
        self._env_file = env_file

    @cached_property
    def environ(self) -> dict[str, str]:
        """The environment, completed from files.

        Raises:
            SettingsError: a file cannot be read.
        """
        from app.config.env_file import with_env_files

        return with_env_files(self._environ, self._folder, self._env_file)

    @cached_property
    def settings(self) -> Settings:
        """What the operator decided.

        Raises:
            SettingsError: a setting is wrong.
        """
        from app.config.settings import Settings

        return Settings.from_env(self.environ, root=self._folder)

    @cached_property
    def siteswap(self) -> Siteswap:
        """The parts of an application that serves nothing."""
        from app.wiring import create_app

        siteswap: Siteswap = create_app(self.settings).extensions["siteswap"]
        return siteswap

    @cached_property
    def catalog(self) -> Catalog:
        """The flows as their files are now."""
        self.siteswap.catalog.refresh()
        return self.siteswap.catalog

    def program(self, key: str, version: str | None) -> Program:
        """A version of a flow, or its highest one.

        Raises:
            ClickException: it cannot be run.
        """
        try:
            return self.catalog.get(key, version or self.catalog.latest(key))
        except (FlowNotFound, FlowDisabled):
            raise click.ClickException(self._why_not(key, version)) from None

    def _why_not(self, key: str, version: str | None) -> str:
        """Why a flow cannot be had, and where it was looked for."""
        from app.words import did_you_mean

        entries = self.catalog.entries()
        versions = {each.path.stem: each for each in entries if each.path.parent.name == key}
        if not versions:
            near = did_you_mean(key, {each.path.parent.name for each in entries})
            question = f"; did you mean {near!r}?" if near else "; see: siteswap list"
            return f"there is no flow {key!r} in {self.settings.flows_dir}{question}"
        entry = versions.get(version or max(versions, key=lambda name: (len(name), name)))
        if entry is None:
            folder = self.shown(self.settings.flows_dir / key)
            return f"{folder} has no version {version!r}; it has {', '.join(versions)}"
        if entry.is_broken:
            return f"{self.shown(entry.path)} has errors; see: siteswap lint"
        return f"{self.shown(entry.path)} says `enabled: false`"

    @property
    def has_store(self) -> bool:
        """Whether there is a store to look into: looking makes no file."""
        path = self.settings.store.path
        return path is None or path.exists()

    @cached_property
    def tokens(self) -> TokenRegistry:
        """The tokens, read.

        Raises:
            TokenError: the file cannot be read.
        """
        from app.config.tokens import TokenRegistry

        tokens = TokenRegistry(self.settings.tokens_file, self.settings.tokens, clock=self.clock)
        tokens.load()
        return tokens

    def shown(self, path: Path) -> Path:
        """The path as a person in this folder would write it."""
        return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

    def close(self) -> None:
        """Let go of what was opened."""
        if "siteswap" in vars(self):
            self.siteswap.close(0)


def project_of(context: click.Context) -> Project:
    """The project of a command line, also of one that is only being completed."""
    root = context.find_root()
    if root.obj is None:
        root.obj = Project(os.environ, Path.cwd(), root.params.get("env_file"))
    project: Project = root.obj
    return project
