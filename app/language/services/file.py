"""From the text of ``services.yaml`` to the services and databases it names, or what is wrong.

The stages are those of a flow: :mod:`app.catalog.catalog.loader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from marshmallow import Schema, ValidationError

from app.config.tls import Tls, digest_of, tls_issues
from app.expression import Compiled, Issue, Scope, find_braces
from app.language.checks import Report, secret_literals
from app.language.diagnose import diagnostic_at, issues_in, once
from app.language.environment import Environment
from app.language.fields import (
    SCHEMES,
    SERVICE_NAME,
    Collection,
    JsonSchema,
    StrictSchema,
    about,
    issue,
    object_schema,
)
from app.language.names import NameIssue, missing_name
from app.language.services.database import Database, DatabaseSchema
from app.language.services.service import Service, ServiceSchema
from app.yaml.diagnostics import Diagnostic, Path, Severity
from app.yaml.document import Document, YamlError, load

FILE_NAME = "services.yaml"
"""Its place is the flows folder, next to the folders of the flows."""


@dataclass(frozen=True, slots=True)
class ServicesFile:
    """What the file names."""

    services: Mapping[str, Service] = field(default_factory=dict)
    databases: Mapping[str, Database] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedServices:
    """What became of the file. ``content`` is ``None`` exactly when a diagnostic is an error.

    ``services`` and ``databases`` are all names in it, of broken ones too; ``None`` if the file
    cannot be read. ``read`` are the files that it names.
    """

    content: ServicesFile | None
    diagnostics: tuple[Diagnostic, ...]
    services: frozenset[str] | None = frozenset()
    databases: frozenset[str] | None = frozenset()
    read: tuple[FilePath, ...] = ()


class Named(Collection):
    """Names, and below each the keys of one schema, which makes a ``record``."""

    KIND = dict
    WANTED = "an object"

    def __init__(
        self, what: str, schema: type[Schema], record: Callable[..., Any], **options: Any
    ) -> None:
        super().__init__(**options)
        self.what, self.schema, self.record = what, schema, record
        self.EXAMPLE = f"write the name of a {what}, and its keys below it"

    def json_schema(self) -> JsonSchema:
        return {"type": "object", "additionalProperties": object_schema(self.schema())}

    def read(self, raw: Any) -> Any:
        return self.schema().load(raw)

    def instead(self, error: ValidationError) -> Any:
        """What can be read of the entry."""
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        usable = {name: value for name, value in valid.items() if name not in error.messages}
        stand_ins = {
            name: getattr(field, "stand_in", None)
            for name, field in self.schema().fields.items()
            if field.required
        }
        return self.record(**{**stand_ins, **usable})

    def key_issues(self, key: str) -> Iterator[Issue]:
        if key in SCHEMES:
            message = f"`{key}:` would read like the beginning of a url"
            yield issue("reserved-name", message, "choose another name")
        elif not SERVICE_NAME.fullmatch(key):
            rule = "a name is a letter, then letters, digits, `_` or `-`, at most 64"
            yield issue("bad-name", f"`{key}` is not a name for a {self.what}", rule)


class ServicesFileSchema(StrictSchema):
    """The top level of ``services.yaml``."""

    EXAMPLE = "the file begins with `services:` or `databases:`"

    services = Named(
        "service",
        ServiceSchema,
        Service,
        load_default=dict,
        metadata=about("HTTP services by name: `http: GET name:/path`."),
    )
    databases = Named(
        "database",
        DatabaseSchema,
        Database,
        load_default=dict,
        metadata=about("Databases by name: `sql: …` with `database: name`."),
    )


def load_services(
    folder: FilePath, text: str | bytes, environment: Environment, scope: Scope | None = None
) -> LoadedServices:
    """Read the file's text. Paths in it start at ``folder``. Never raises, whatever it is.

    ``scope`` has the values of ``env`` and ``secrets``, where they are known.
    """
    try:
        document = load(text)
    except YamlError as error:
        return LoadedServices(None, tuple(error.diagnostics), None, None)
    content, issues = _content(document)
    diagnostics = [diagnostic_at(document, path, Severity.ERROR, found) for path, found in issues]
    content = replace(content, services=_with_files(folder, content.services))
    for path, severity, found in _checks(document, content, environment, scope):
        diagnostics.append(diagnostic_at(document, path, severity, found))
    diagnostics = once(document, diagnostics)
    is_broken = any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
    return LoadedServices(
        None if is_broken else _digested(content),
        tuple(sorted(set(diagnostics))),
        _names(document, "services"),
        _names(document, "databases"),
        tuple(path for tls in _tls(content).values() for _, path in tls.files),
    )


_SCHEMA = ServicesFileSchema()


def _content(document: Document) -> tuple[ServicesFile, list[tuple[Path, Issue]]]:
    """The services as far as they can be read, and what is wrong with their parts."""
    try:
        return ServicesFile(**_SCHEMA.load(document.data)), []
    except ValidationError as error:
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        return ServicesFile(**valid), list(issues_in(error.messages, (), document.places))


def _names(document: Document, key: str) -> frozenset[str]:
    named = document.data.get(key) if isinstance(document.data, dict) else None
    return frozenset(named if isinstance(named, dict) else ())


def _tls(content: ServicesFile) -> dict[str, Tls]:
    return {name: service.tls for name, service in content.services.items() if service.tls}


def _with_files(folder: FilePath, services: Mapping[str, Service]) -> Mapping[str, Service]:
    """The services, whose files have absolute paths."""
    return {
        name: replace(service, tls=service.tls and _absolute(folder, service.tls))
        for name, service in services.items()
    }


def _absolute(folder: FilePath, tls: Tls) -> Tls:
    base, named = folder.absolute(), dict(tls.files)
    found = {key: base / path for key, path in named.items()}
    return Tls(found.get("ca"), found.get("cert"), found.get("key"), tls.verify)


def _digested(content: ServicesFile) -> ServicesFile | None:
    """The content, whose TLS files are named by what they hold; ``None`` if that vanished."""
    try:
        found = {name: replace(tls, digest=digest_of(tls)) for name, tls in _tls(content).items()}
    except OSError:
        return None
    services = {
        name: replace(service, tls=found.get(name)) for name, service in content.services.items()
    }
    return replace(content, services=services)


def _checks(
    document: Document, content: ServicesFile, environment: Environment, scope: Scope | None
) -> Iterable[Report]:
    """What the schema cannot see: names of the environment, files, secrets in the file."""
    for name, service in content.services.items():
        for path, severity, found in _of_service(service, environment):
            yield ("services", name, *path), severity, found
    for name, database in content.databases.items():
        for path, severity, found in _of_database(database, environment, scope):
            yield ("databases", name, *path), severity, found
    hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
    for path in secret_literals(document.data, "services"):
        message = f"`{path[-1]}` looks like a secret written in the file"
        yield path, Severity.WARNING, issue("secret-in-file", message, hint)
    for found in find_braces(document.data):
        yield (), Severity.WARNING, found


def _of_service(service: Service, environment: Environment) -> Iterator[Report]:
    yield from _reads(service.templates(), environment)
    for path in service.open_credentials():
        message = f"the credential `{path[-1]}` is written in the file"
        hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
        yield path, Severity.WARNING, issue("secret-in-file", message, hint)
    if service.tls is not None:
        yield from _of_tls(service.tls)


def _of_database(
    database: Database, environment: Environment, scope: Scope | None
) -> Iterator[Report]:
    wrong = list(_reads(database.templates(), environment))
    yield from wrong
    if not wrong and scope is not None:
        for path, found in database.check(scope):
            yield path, Severity.ERROR, found


def _reads(
    templates: Iterable[tuple[Path, Compiled]], environment: Environment
) -> Iterator[Report]:
    """Reads of what belongs to one run, and of what is not there."""
    for path, template in templates:
        for read in template.reads:
            root = read.path[0]
            if root not in ("env", "secrets"):
                message = f"`{root}` cannot be read here: this file is the same for every run"
                hint = "read `env` or `secrets`, or write it at the step"
                yield path, Severity.ERROR, NameIssue("unknown-name", message, hint).at(read)
            elif len(read.path) > 1 and (unknown := missing_name(environment, read)):
                yield path, unknown.severity, unknown.at(read)


def _of_tls(tls: Tls) -> Iterator[Report]:
    for key, is_readable, sentence in tls_issues(tls):
        code = "bad-certificate" if is_readable else "unreadable"
        hint = None if is_readable else "the path starts at the flows folder"
        yield ("tls", key), Severity.ERROR, issue(code, sentence, hint)
    if not tls.verify:
        message = "the server's certificate is not checked: anybody in between reads and changes"
        found = issue("tls-not-verified", message, "name its authority: `ca: FILE`")
        yield ("tls", "verify"), Severity.WARNING, found
