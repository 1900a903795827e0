"""`oto exchange`: look at the exchange through the adapter."""

from pathlib import Path

import click

from oto.domain.market import Symbol
from oto.infrastructure.alpha.client import checked_base_url
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.logs import configure_logging
from oto.infrastructure.pasted import PastedError, read_login
from oto.infrastructure.private_file import PrivateFileError, read_private
from oto.interface.cli.output import print_rows
from oto.interface.cli.probe import COLUMNS, Probe, probe_private, probe_public


def _checked(ctx: click.Context, option: click.Parameter, base_url: str) -> str:
    """Refuse an address that no call could go to."""
    try:
        return checked_base_url(base_url)
    except ValueError as error:
        sentence = str(error)
    raise click.BadParameter(sentence, ctx, option)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def exchange() -> None:
    """Look at the exchange."""


@exchange.command()
@click.option(
    "--base-url", required=True, callback=_checked, help="Such as https://www.binance.com."
)
@click.option("--credentials", "file", type=_FILE, help="File with a login: JSON, HAR or cURL.")
@click.option("--user", help="Which of the file's users; the first, if not given.")
@click.option("--symbol", help="Such as ALPHA_971USDT; the first that trades, if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(
    *,
    base_url: str,
    file: Path | None,
    user: str | None,
    symbol: str | None,
    as_json: bool,
) -> None:
    """Make every read once, and say how each went.

    Nothing is placed or cancelled. Private reads are made only with --credentials. Without a
    connection, behind a firewall's page or after the session's end the rest is not tried. The exit
    code is 0 if all went well.
    """
    configure_logging(json=False, level="WARNING")
    credentials = load_credentials(file, user) if file else None
    found = _probe(base_url, credentials, Symbol(symbol.upper()) if symbol else None)
    rows = [call.row() for call in found.calls]
    print_rows(f"Reads of {base_url}", COLUMNS, rows, as_json=as_json)
    if problem := found.problem():
        raise click.ClickException(f"{base_url}: {problem}")


def _probe(base_url: str, credentials: Credentials | None, symbol: Symbol | None) -> Probe:
    found = Probe()
    with PublicAlpha(base_url) as public:
        probe_public(found, public, symbol)
    if credentials is not None:
        with PrivateAlpha(base_url, credentials) as private:
            probe_private(found, private)
    return found


def load_credentials(file: Path, user: str | None) -> Credentials:
    """Return the login in a file that others on this machine cannot open."""
    try:
        return read_login(read_private(file), user)
    except (PrivateFileError, PastedError) as error:
        sentence = str(error)
    raise click.BadParameter(f"{file.name}: {sentence}", param_hint="'--credentials'")
