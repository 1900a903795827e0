"""What the environment and the file `.env` set; a mistake in them ends as one sentence."""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
)

from oto.domain.errors import SentenceError
from oto.infrastructure.alpha.client import checked_base_url

PREFIX = "OTO_"
_FILE = ".env"
_SQLALCHEMY_DRIVER = "postgresql+psycopg"


class SettingsError(SentenceError, ValueError):
    """A variable is unknown or its value is wrong; the message names it and shows no value."""


class Exchange(Enum):
    """Where orders go."""

    SIMULATOR = "simulator"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class ExchangeUrls:
    """The base addresses of an exchange's calls and of its streams."""

    rest: str
    ws: str


LIVE_URLS = ExchangeUrls("https://www.binance.com", "wss://nbstream.binance.com")


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("starts with the name of a user who has no home folder") from None


def _parts(url: str, *schemes: str) -> SplitResult | None:
    """Split a URL of one of the schemes; None for anything else."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and parts.port != 0
    except ValueError:  # such as a password with brackets, or a port that is no number
        return None
    return parts if fits else None


def _redis_url(url: SecretStr) -> SecretStr:
    parts = _parts(url.get_secret_value(), "redis", "rediss")
    if parts is None or not parts.hostname:
        raise ValueError(
            "must look like redis://:password@host:6379/0, or rediss://…, with the special"
            " characters of its password percent-encoded"
        )
    return url


def _database_url(url: SecretStr) -> SecretStr:
    parts = _parts(url.get_secret_value(), "postgresql", _SQLALCHEMY_DRIVER)
    if parts is None or not (parts.hostname or "host=" in parts.query):  # or the folder of a socket
        raise ValueError(
            "must look like postgresql://user:password@host:5432/database, with the special"
            " characters of its password percent-encoded"
        )
    _, _, rest = url.get_secret_value().partition(":")
    return SecretStr(f"{_SQLALCHEMY_DRIVER}:{rest}")


def _ws_url(url: str) -> str:
    parts = _parts(url, "ws", "wss")
    if parts is None or not parts.hostname or parts.username is not None:
        raise ValueError("must look like wss://host or ws://host:port")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    """How this installation runs: variables `OTO_…`, and below them `.env` in the working folder.

    An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",  # `.env` may hold other programs' variables too
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: user_data_path("alpha-oto", appauthor=False),
        description="Folder of the embedded servers' data and of the master key; by default"
        " alpha-oto in the system's folder for a user's data.",
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        default=None,
        description="Redis or Valkey to use, such as redis://:password@host:6379/0; without it an"
        " embedded server is started.",
    )
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = Field(
        default=None,
        description="PostgreSQL to use, such as postgresql://user:password@host:5432/oto; without"
        " it an embedded server is started.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="Fernet keys that seal the users' logins, separated by commas: the first one"
        " seals, all of them open; without it a key is made and kept in the home folder.",
    )
    exchange: Exchange = Field(
        default=Exchange.SIMULATOR,
        description="Where orders go: simulator, or live for the real exchange.",
    )
    rest_url: Annotated[str, AfterValidator(checked_base_url)] | None = Field(
        default=None,
        description="Base address of the exchange's calls; by default the running simulator's,"
        f" with live {LIVE_URLS.rest}.",
    )
    ws_url: Annotated[str, AfterValidator(_ws_url)] | None = Field(
        default=None,
        description="Base address of the exchange's streams; by default the running simulator's,"
        f" with live {LIVE_URLS.ws}.",
    )
    worker_threads: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Steps of jobs that one worker takes at the same time.",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
    ] = Field(
        default="INFO",
        description="Least grave lines that are logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )
    log_json: bool = Field(
        default=False,
        description="Whether log lines are JSON (true), or text for a person (false).",
    )
    flower_port: int = Field(
        default=5555, ge=1, le=65535, description="Port on which Flower shows workers and tasks."
    )
    flower_password: SecretStr | None = Field(
        default=None,
        description="Password of Flower; without it each run makes a new one and shows it.",
    )

    drill: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="Folder from which `oto drill` disturbs this process; only the drill sets it,"
        " and never with the real exchange.",
    )

    @field_validator("rest_url", "ws_url")
    @classmethod
    def _fits_the_exchange(cls, url: str | None, chosen: ValidationInfo) -> str | None:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
        exchange = chosen.data.get("exchange")  # a field above, so it has been read already
        if exchange is Exchange.SIMULATOR and "binance" in host:
            raise ValueError(
                "leads to the real exchange while OTO_EXCHANGE is simulator;"
                " remove it, or set OTO_EXCHANGE to live"
            )
        if exchange is Exchange.LIVE and parts.scheme in {"http", "ws"} and not _is_loopback(host):
            raise ValueError("would send logins unencrypted; use https:// or wss://")
        return url

    @model_validator(mode="after")
    def _has_both_urls_or_none(self) -> Self:
        one_is_missing = (self.rest_url is None) != (self.ws_url is None)
        if one_is_missing and self.exchange is Exchange.SIMULATOR:
            raise ValueError("OTO_REST_URL and OTO_WS_URL go together; set both or neither")
        return self

    @model_validator(mode="after")
    def _disturbs_no_real_exchange(self) -> Self:
        if self.drill is not None and self.exchange is Exchange.LIVE:
            raise ValueError("OTO_DRILL disturbs what it runs with; remove it for live trading")
        return self

    @property
    def exchange_urls(self) -> ExchangeUrls | None:
        """Return where the exchange is; None means wherever the running simulator says."""
        if self.exchange is Exchange.LIVE:
            return ExchangeUrls(self.rest_url or LIVE_URLS.rest, self.ws_url or LIVE_URLS.ws)
        if self.rest_url is None or self.ws_url is None:
            return None
        return ExchangeUrls(self.rest_url, self.ws_url)


def load_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: a variable is unknown or its value is wrong.
    """
    try:
        sentences = [*map(_unknown, _unknown_names())]
        settings = Settings()
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        sentences += map(_sentence, details)
    except (OSError, UnicodeDecodeError):
        sentences = [f"The file {_FILE} cannot be read; it must be UTF-8 text and open to you."]
    if sentences:
        raise SettingsError(" ".join(sentences))
    return settings


def _known_names() -> set[str]:
    """Return the settings' names without the prefix, which would make any two look alike."""
    return {field.upper() for field in Settings.model_fields}


def _unknown_names() -> list[str]:
    sources = EnvSettingsSource(Settings), DotEnvSettingsSource(Settings)
    given = {name.upper() for source in sources for name in source.env_vars}
    ours = {name.removeprefix(PREFIX) for name in given if name.startswith(PREFIX)}
    return sorted(ours - _known_names())


def _unknown(name: str) -> str:
    close = get_close_matches(name, _known_names(), n=1)
    advice = f"did you mean {PREFIX}{close[0]}?" if close else "env.example lists those that are."
    return f"{PREFIX}{name} is not a setting; {advice}"


def _sentence(detail: ErrorDetails) -> str:
    """Say what is wrong with one variable; pydantic's messages show no values."""
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    name = "".join(f"{PREFIX}{field}: ".upper() for field in detail["loc"][:1])
    return f"{name}{message}."
