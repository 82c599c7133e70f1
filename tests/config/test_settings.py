"""Settings: what the environment says, what is refused, and what never shows."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.config.settings import SETTINGS, Settings, check_serving, variable_of
from app.config.tokens import digest_of
from app.config.values import PREFIX, ExecutorChoice, StoreAddress
from app.errors import SettingsError

ROOT = Path("/srv/siteswap")
REDIS = "rediss://me:p%40ss@cache.example:6380/3"
NETWORKS = (ip_network("10.1.0.0/16"), ip_network("::1/128"))
PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def read(**variables: str) -> Settings:
    """The settings of an environment that holds these, after the prefix."""
    return Settings.from_env({PREFIX + name: text for name, text in variables.items()}, root=ROOT)


def issues(**variables: str) -> list[str]:
    """The lines of the refusal of an environment that holds these, after the prefix."""
    with pytest.raises(SettingsError) as caught:
        read(**variables)
    return caught.value.message.splitlines()


def test_the_defaults() -> None:
    """An empty environment is a whole configuration."""
    settings = read()
    assert settings == Settings(
        flows_dir=ROOT / "flows",
        store=StoreAddress("file", path=ROOT / "instance/runs.db"),
        executor=ExecutorChoice("threads", 32),
        broker=None,
        queue_size=1000,
        lease=15.0,
        retention=30 * 86_400.0,
        retention_runs=100_000,
        tokens_file=ROOT / "instance/tokens.yaml",
        tokens={},
        http_status="real",
        language="zh",
        max_body_bytes=1_000_000,
        max_response_bytes=10_000_000,
        env={},
        example_api=True,
        python_steps=False,
        python_memory=512_000_000,
        private_networks=(),
        secrets={},
        secrets_dir=None,
    )


def test_an_empty_value_is_unset() -> None:
    """``NAME=`` in a unit file changes nothing and warns of nothing."""
    assert Settings.from_env(dict.fromkeys(map(variable_of, SETTINGS), " "), root=ROOT) == read()
    assert read(SECRET_A="") == read()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("FLOWS_DIR", "/etc/flows", "flows_dir", Path("/etc/flows")),
        ("FLOWS_DIR", "other/flows", "flows_dir", ROOT / "other/flows"),
        ("STORE", "memory:", "store", StoreAddress("memory")),
        ("STORE", "file:a.db", "store", StoreAddress("file", path=ROOT / "a.db")),
        ("STORE", "file:/a.db", "store", StoreAddress("file", path=Path("/a.db"))),
        ("STORE", "redis://h", "store", StoreAddress("redis", url="redis://h")),
        ("STORE", REDIS, "store", StoreAddress("redis", url=REDIS)),
        ("EXECUTOR", "threads:7", "executor", ExecutorChoice("threads", 7)),
        ("BROKER", REDIS, "broker", REDIS),
        ("BROKER", "amqps://a:b@h:5671//", "broker", "amqps://a:b@h:5671//"),
        ("TOKENS_FILE", "t.yaml", "tokens_file", ROOT / "t.yaml"),
        ("SECRETS_DIR", "/run/secrets", "secrets_dir", Path("/run/secrets")),
        ("HTTP_STATUS", "always-200", "http_status", "always-200"),
        ("MAX_BODY_BYTES", "1000000", "max_body_bytes", 1_000_000),
        ("MAX_BODY_BYTES", "512KB", "max_body_bytes", 512_000),
        ("MAX_RESPONSE_BYTES", "1 gb", "max_response_bytes", 1_000_000_000),
        ("EXAMPLE_API", "off", "example_api", False),
        ("PRIVATE_NETWORKS", "10.1.0.0/16, ::1", "private_networks", NETWORKS),
    ],
)
def test_a_value_is_read(name: str, text: str, field: str, value: object) -> None:
    """Each setting understands what its page says."""
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("STORE", "memory", "'memory' is not a store; write file:PATH, redis://"),
        ("STORE", "file:", "'file:' is not a store"),
        ("STORE", "postgres://me:hunter2@db", "'postgres:' is not a store"),
        ("STORE", "redis:", "not an address like redis://HOST:6379/0"),
        ("STORE", "redis://:hunter2@", "not an address like redis://HOST:6379/0"),
        ("STORE", "redis://:hunter/2@cache", "percent-encode what stands in"),
        ("STORE", "redis://cache:hunter2", "percent-encode what stands in"),
        ("STORE", "redis://:hunter 2@cache", "percent-encode what stands in"),
        ("EXECUTOR", "celery:4", "'celery:4' is not an executor"),
        ("EXECUTOR", "threads:", "write threads, threads:N or celery"),
        ("BROKER", "localhost", "'localhost' is not a broker"),
        ("BROKER", "sqs://:hunter2@h", "'sqs:' is not a broker; write redis://"),
        ("BROKER", "amqp://:hunter2@", "not an address like amqp://HOST"),
        ("EXECUTOR", "threads:many", "'threads:many' is not an executor"),
        ("EXECUTOR", "threads:0", "outside of 1 to 1000"),
        ("HTTP_STATUS", "reel", "'reel' is neither real nor always-200"),
        ("LANGUAGE", "de", "'de' is neither zh nor en"),
        ("MAX_BODY_BYTES", "1.5MB", "'1.5MB' is not a size"),
        ("MAX_BODY_BYTES", "0", "outside of 1KB to 1GB"),
        ("MAX_RESPONSE_BYTES", "2GB", "outside of 1KB to 1GB"),
        ("ENV", "GOOD,not-a-name", "'not-a-name' is not the name of a variable"),
        ("ENV", "SITESWAP_TOKENS", "may not be read as env"),
        ("ENV", "SITESWAP_SECRET_CRM", "flows read SITESWAP_SECRET_NAME as secrets.NAME"),
        ("EXAMPLE_API", "true", "'true' is neither on nor off"),
        ("PRIVATE_NETWORKS", "localhost", "'localhost' is not a network; write addresses like"),
        ("PRIVATE_NETWORKS", "10.1.2.3/16", "begins inside of a network; write 10.1.0.0/16"),
        ("TOKENS", "hunter2", "entry 1 is not name=token"),
        ("TOKENS", "a=good,-b=hunter2", "entry 2 is not name=token"),
        ("TOKENS", "a=hunter2,a=hunter3", "the name a stands twice"),
        ("TOKENS", "a=hunter2,b=hunter2", "two names have the same token"),
        ("TOKENS", "a=hunter2 é", "the token of a must be printable ASCII"),
        ("TOKENS", "a=", "the token of a must be printable ASCII"),
        ("SECRET_1st", "hunter2", "flows cannot write secrets.1st"),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str, hint: str) -> None:
    """The refusal names the setting and what is allowed, and shows no secret."""
    (line,) = issues(**{name: text})
    assert line.startswith(f"{PREFIX}{name}: ")
    assert hint in line
    assert "hunter" not in line


def test_celery_is_a_whole_configuration_with_its_broker_and_a_shared_store() -> None:
    """Both addresses may hold a password, which ``repr`` does not show."""
    url = "redis://:hunter2@cache"
    settings = read(EXECUTOR="celery", BROKER=url, STORE=url)
    assert settings.executor == ExecutorChoice("celery")
    assert (settings.broker, settings.store.url) == (url, url)
    assert settings.warnings == ()
    assert "hunter2" not in repr(settings)


def test_values_that_do_not_go_together_are_refused() -> None:
    """Each with the setting to change, all at once."""
    lines = issues(EXECUTOR="celery", STORE="memory:")
    assert "SITESWAP_EXECUTOR: celery needs a broker; set SITESWAP_BROKER=redis://" in lines[0]
    assert "SITESWAP_STORE: memory: keeps runs inside one process" in lines[1]
    assert len(issues(EXECUTOR="celery", BROKER="nothing", STORE="x")) == 2


def test_a_broker_without_celery_is_a_warning() -> None:
    """It is not used, and its address is not shown."""
    [warning] = read(BROKER="amqp://:hunter2@h").warnings
    assert warning == "SITESWAP_BROKER is not used without SITESWAP_EXECUTOR=celery"


def test_a_library_that_is_not_installed_is_named() -> None:
    """With the command that installs it."""
    environ = {"SITESWAP_STORE": REDIS, "SITESWAP_EXECUTOR": "celery", "SITESWAP_BROKER": REDIS}
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ, root=ROOT, is_installed=lambda _: False)
    lines = caught.value.message.splitlines()
    assert [line.partition("; ")[2] for line in lines] == [
        f"write .venv/bin/pip install -e '.[{extra}]', or make run EXTRAS={extra}"
        for extra in ("redis", "celery")
    ]
    assert Settings.from_env({}, root=ROOT, is_installed=lambda _: False) == read()


def test_all_wrong_values_are_told_at_once() -> None:
    """One start shows everything there is to mend."""
    lines = issues(STORE="x", EXECUTOR="y", HTTP_STATUS="z", MAX_BODY_BYTES="lots", TOKENS="t")
    named = {line.partition(":")[0].removeprefix(PREFIX) for line in lines}
    assert named == {"STORE", "EXECUTOR", "HTTP_STATUS", "MAX_BODY_BYTES", "TOKENS"}


def test_only_digests_of_inline_tokens_are_kept() -> None:
    """A token may hold ``=``; what is kept of it is its digest."""
    assert read(TOKENS="crm=abc==, ci=def,").tokens == {
        "crm": digest_of("abc=="),
        "ci": digest_of("def"),
    }


def test_flows_read_only_what_is_listed() -> None:
    """``env`` holds the listed names, ``secrets`` the ones with the prefix."""
    environ = {"HOME": "/root", "REGION": "eu", "SITESWAP_ENV": "REGION,ZONE"}
    settings = Settings.from_env({**environ, "SITESWAP_SECRET_CRM_KEY": "k"}, root=ROOT)
    assert settings.env == {"REGION": "eu"}
    assert settings.secrets == {"CRM_KEY": "k"}
    assert settings.warnings == ("SITESWAP_ENV lists ZONE, but it is not set",)


def test_no_secret_shows() -> None:
    """``repr`` holds neither tokens nor secrets nor what flows may read."""
    environ = {"SITESWAP_TOKENS": "a=hunter2", "SITESWAP_SECRET_B": "hunter3"}
    settings = Settings.from_env(
        {**environ, "SITESWAP_ENV": "URL", "URL": "https://hunter4@host"}, root=ROOT
    )
    assert "hunter" not in repr(settings)
    assert digest_of("hunter2") not in repr(settings)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("SITESWAP_FLOW_DIR", "; did you mean SITESWAP_FLOWS_DIR?"),
        ("siteswap_store", "; did you mean SITESWAP_STORE?"),
        ("SITESWAP_MAXBODYBYTES", "; did you mean SITESWAP_MAX_BODY_BYTES?"),
        ("SITESWAP_SECRETS_CRM", "; did you mean SITESWAP_SECRET_CRM?"),
        ("SITESWAP_ELEPHANT", "is not a setting"),
    ],
)
def test_a_name_that_nobody_knows_is_a_warning(name: str, end: str) -> None:
    """A typo does not stop the start; the value is not repeated."""
    (warning,) = Settings.from_env({name: "hunter2"}, root=ROOT).warnings
    assert warning.startswith(f"{name} is not a setting")
    assert warning.endswith(end)
    assert "hunter2" not in warning


def test_memory_serves_one_worker_only(tmp_path: Path) -> None:
    """What two workers cannot share is refused, with what to do instead."""
    settings = Settings.from_env({"SITESWAP_STORE": "memory:"}, root=tmp_path)
    settings.flows_dir.mkdir()
    check_serving(settings, workers=1)
    with pytest.raises(SettingsError, match=r"2 workers.*WEB_CONCURRENCY=1.*SITESWAP_STORE=file:"):
        check_serving(settings, workers=2)


def test_a_folder_without_flows_is_not_served(tmp_path: Path) -> None:
    """A flows folder that is not there is a typo, not an empty catalog."""
    with pytest.raises(SettingsError, match=r"SITESWAP_FLOWS_DIR: .*/flows is not a folder"):
        check_serving(Settings.from_env({}, root=tmp_path), workers=1)


def test_a_folder_of_secrets_that_is_missing(tmp_path: Path) -> None:
    """It is a mount that failed: better no start than flows without their secrets."""
    settings = Settings.from_env({"SITESWAP_SECRETS_DIR": "secrets"}, root=tmp_path)
    settings.flows_dir.mkdir()
    with pytest.raises(SettingsError, match=r"SITESWAP_SECRETS_DIR: .*/secrets is not a folder"):
        check_serving(settings, workers=1)


def test_the_page_lists_every_setting_with_its_default() -> None:
    """docs/configuration.md and the code know the same names and defaults."""
    rows = re.findall(r"^\| `SITESWAP_(\w+)` \| (?:`(.*?)`)? *\|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name.upper(), setting.default) for name, setting in SETTINGS.items()]
