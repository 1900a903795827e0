"""Variables and `.env` become settings, and a mistake in them becomes a sentence without values."""

import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from oto.infrastructure.settings import (
    LIVE_URLS,
    Exchange,
    ExchangeUrls,
    Settings,
    SettingsError,
    load_settings,
)
from tests.logins import told

pytestmark = pytest.mark.unit

CANARY = "canary-5f0c1d"
EXAMPLE = Path(__file__).resolve().parents[2] / "env.example"

Load = Callable[..., Settings]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Load settings of the given variables alone, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("OTO_"):
            monkeypatch.delenv(name)

    def load(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_without_any_variable_everything_has_a_default(load: Load) -> None:
    settings = load()
    assert settings.exchange is Exchange.SIMULATOR
    assert settings.exchange_urls is None
    assert settings.home.name == "alpha-oto"
    assert settings.home.is_absolute()
    assert settings.redis_url is settings.database_url is settings.master_key is None
    assert (settings.worker_threads, settings.flower_port) == (16, 5555)


def test_the_environment_outweighs_the_file(load: Load) -> None:
    Path(".env").write_text("OTO_WORKER_THREADS=3\nOTO_FLOWER_PORT=7000\n")
    settings = load(OTO_WORKER_THREADS="4")
    assert (settings.worker_threads, settings.flower_port) == (4, 7000)


def test_a_file_with_a_byte_order_mark_and_foreign_variables_is_read(load: Load) -> None:
    Path(".env").write_text("OTO_FLOWER_PORT=7000\nPOSTGRES_PASSWORD=x\n", encoding="utf-8-sig")
    assert load().flower_port == 7000


def test_an_empty_variable_counts_as_not_set(load: Load) -> None:
    assert load(OTO_REDIS_URL="", OTO_WORKER_THREADS="").worker_threads == 16


def test_the_home_folder_is_made_absolute(load: Load, tmp_path: Path) -> None:
    assert load(OTO_HOME="state").home == tmp_path / "state"
    assert load(OTO_HOME="~/state").home == Path.home() / "state"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("rest", ["u:p%40w@h:5432/oto?sslmode=require", "/oto?host=/run/pg"])
def test_a_database_url_gets_the_driver_and_stays_the_same_otherwise(
    load: Load, scheme: str, rest: str
) -> None:
    url = load(OTO_DATABASE_URL=f"{scheme}://{rest}").database_url
    assert url is not None
    assert url.get_secret_value() == f"postgresql+psycopg://{rest}"


@pytest.mark.parametrize("url", ["redis://:pw@h:6379/0", "rediss://u:pw@[::1]:6380/1"])
def test_a_redis_url_is_taken_as_it_is(load: Load, url: str) -> None:
    taken = load(OTO_REDIS_URL=url).redis_url
    assert taken is not None
    assert taken.get_secret_value() == url


def test_live_has_the_exchange_s_own_addresses_and_given_ones_win(load: Load) -> None:
    assert load(OTO_EXCHANGE="live").exchange_urls == LIVE_URLS
    settings = load(OTO_REST_URL="https://example.org/")
    assert settings.exchange_urls == ExchangeUrls("https://example.org", LIVE_URLS.ws)


def test_a_simulator_elsewhere_is_told_by_both_addresses(load: Load) -> None:
    settings = load(OTO_REST_URL="http://simulator:8500", OTO_WS_URL="ws://simulator:8500/")
    assert settings.exchange_urls == ExchangeUrls("http://simulator:8500", "ws://simulator:8500")


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"OTO_WORKER_THREADS": CANARY}, "OTO_WORKER_THREADS: Input should be a valid integer"),
        ({"OTO_WORKER_THREADS": "0"}, "OTO_WORKER_THREADS: Input should be greater"),
        ({"OTO_FLOWER_PORT": "99999"}, "OTO_FLOWER_PORT: Input should be less"),
        ({"OTO_LOG_LEVEL": CANARY}, "OTO_LOG_LEVEL: Input should be 'DEBUG'"),
        ({"OTO_LOG_JSON": CANARY}, "OTO_LOG_JSON: Input should be a valid boolean"),
        ({"OTO_EXCHANGE": CANARY}, "OTO_EXCHANGE: Input should be 'simulator' or 'live'"),
        ({"OTO_HOME": f"~{CANARY}/x"}, "OTO_HOME: starts with the name of a user"),
        ({"OTO_REDIS_URL": f"http://:{CANARY}@h"}, "OTO_REDIS_URL: must look like redis://"),
        ({"OTO_REDIS_URL": f"redis:{CANARY}"}, "OTO_REDIS_URL: must look like redis://"),
        ({"OTO_REDIS_URL": f"redis://:[{CANARY}@h"}, "OTO_REDIS_URL: must look like redis://"),
        ({"OTO_REDIS_URL": f"redis://h:{CANARY}"}, "OTO_REDIS_URL: must look like redis://"),
        ({"OTO_DATABASE_URL": f"mysql://u:{CANARY}@h/d"}, "must look like postgresql://"),
        ({"OTO_DATABASE_URL": f"postgresql:{CANARY}"}, "must look like postgresql://"),
        ({"OTO_REST_URL": f"https://u:{CANARY}@h"}, "OTO_REST_URL: The base URL must look like"),
        ({"OTO_WS_URL": f"wss://u:{CANARY}@h"}, "OTO_WS_URL: must look like wss://host"),
        ({"OTO_WS_URL": f"https://{CANARY}"}, "OTO_WS_URL: must look like wss://host"),
        ({"OTO_REST_URL": "https://www.Binance.com"}, "OTO_REST_URL: leads to the real exchange"),
        ({"OTO_WS_URL": "wss://nbstream.binance.com"}, "OTO_WS_URL: leads to the real exchange"),
        ({"OTO_REST_URL": "http://simulator"}, "OTO_REST_URL and OTO_WS_URL go together"),
        (
            {"OTO_EXCHANGE": "live", "OTO_REST_URL": "http://example.org"},
            "OTO_REST_URL: would send logins unencrypted",
        ),
    ],
    ids=range(20),
)
def test_a_wrong_value_is_told_by_name_and_not_shown(
    load: Load, variables: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)) as caught:
        load(**variables)
    assert CANARY not in told(caught.value)
    assert str(caught.value).endswith(".")


def test_every_wrong_variable_is_told_at_once(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"OTO_TYPO .* OTO_LOG_JSON: .* OTO_FLOWER_PORT: "):
        load(OTO_TYPO="1", OTO_LOG_JSON="?", OTO_FLOWER_PORT="?")


def test_a_live_exchange_on_this_machine_may_be_unencrypted(load: Load) -> None:
    urls = {"OTO_REST_URL": "http://127.0.0.1:1", "OTO_WS_URL": "ws://localhost:1"}
    assert load(OTO_EXCHANGE="live", **urls).exchange_urls is not None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("OTO_REDIS", "did you mean OTO_REDIS_URL?"),
        ("OTO_DATABASE", "did you mean OTO_DATABASE_URL?"),
        ("oto_worker_thread", "did you mean OTO_WORKER_THREADS?"),
        ("OTO_XYZ", "env.example lists those that are."),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_misspelt_variable_is_not_ignored(
    load: Load, name: str, problem: str, *, in_file: bool
) -> None:
    if in_file:
        Path(".env").write_text(f"{name}={CANARY}\n")
    with pytest.raises(SettingsError) as caught:
        load(**({} if in_file else {name: CANARY}))
    assert str(caught.value) == f"{name.upper()} is not a setting; {problem}"


def test_a_file_that_is_not_text_is_told_without_its_content(load: Load) -> None:
    Path(".env").write_bytes(f"OTO_MASTER_KEY={CANARY}\xff".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\.env cannot be read") as caught:
        load()
    assert CANARY not in told(caught.value)


def test_settings_show_no_secret(load: Load) -> None:
    settings = load(
        OTO_REDIS_URL=f"redis://:{CANARY}@h",
        OTO_DATABASE_URL=f"postgresql://u:{CANARY}@h/d",
        OTO_MASTER_KEY=CANARY,
        OTO_FLOWER_PASSWORD=CANARY,
    )
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    assert all(CANARY not in text for text in shown)


def test_settings_do_not_change(load: Load) -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.worker_threads = 3


def default(field: FieldInfo) -> str:
    """Return the default as a variable would say it; empty if there is none or it depends."""
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if field.default_factory is not None or value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_example_lists_every_setting_with_its_description_and_default() -> None:
    _, *blocks = EXAMPLE.read_text().strip().split("\n\n")
    listed = []
    for block in blocks:
        *comment, setting = block.splitlines()
        listed.append((setting, " ".join(line.removeprefix("# ") for line in comment)))
    assert listed == [
        (f"#OTO_{name.upper()}={default(field)}", field.description)
        for name, field in Settings.model_fields.items()
    ]


def test_the_example_is_a_valid_file_as_it_is_and_uncommented(load: Load) -> None:
    Path(".env").write_text(re.sub("^#(?=OTO_)", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert load() == Settings.model_construct(home=load().home)
