"""`oto user`: the exchange accounts that jobs trade for."""

import sys
from pathlib import Path

import click

from oto.application.users import Session, SessionState, check_session
from oto.bootstrap import House, NotRunningError
from oto.domain.job import ACTIVE, JobState
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.database.users import User
from oto.infrastructure.pasted import PastedError, read_login
from oto.infrastructure.private_file import PrivateFileError, read_private
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import Row, print_json, print_rows
from oto.interface.cli.user_balance import balance

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_STDIN = Path("-")

_TERMS = """\
Live trading with {name} means:

 · The exchange may not want it. Its notice of 2025-06-04 treats automated trading in Alpha
   activities as a violation that can cost the account its eligibility, and its published Alpha
   API is market data only.
 · Nothing here hides that a program trades, and no verification, captcha or second factor is
   answered for you: when the exchange asks for one, the jobs stop until you have cleared it.
 · Orders cost real money: at least 2 bps of what is bought, more when the price moves. A token
   that cannot be sold within the loss that you allow stays with you.
 · The stored session gives full access to the account. Whoever has this machine's master key
   and database has the account.
"""


@click.group()
def user() -> None:
    """Keep the users that jobs trade for, and their sessions.

    The first steps: `oto user add ann`, then `oto user login ann`, then `oto job start --help`.
    """


user.add_command(balance)


@user.command()
@click.argument("name")
@_JSON
def add(*, name: str, as_json: bool) -> None:
    """Add the user NAME: your name for one exchange account."""
    with house_for_now() as house:
        added = house.users.add(name)
    if as_json:
        print_json(_shown(added))
    else:
        click.echo(f"Added {name}. Bring a session next: `oto user login {name}`.")


@user.command(name="list")
@_JSON
def list_(*, as_json: bool) -> None:
    """List the users, and since when each is logged in."""
    with house_for_now() as house:
        rows = [_shown(one) for one in house.users.all()]
    if not rows and not as_json:
        click.echo("There are no users yet; add one with `oto user add NAME`.")
        return
    columns = ("user", "logged_in_at", "terms_accepted", "acknowledged_at", "created_at")
    print_rows("Users", columns, rows, as_json=as_json)


@user.command()
@click.argument("name")
@click.option(
    "--from-file", "file", type=_FILE, default="-", help="Where it is; - or nothing: stdin."
)
@click.option("--entry", help="Which user of a file that holds several; the first, if not given.")
@_JSON
def login(*, name: str, file: Path, entry: str | None, as_json: bool) -> None:
    """Store a logged-in session for the user NAME, sealed.

    It takes the place of the one before. Reads a request copied from the browser as cURL (for bash
    or cmd), header lines, a HAR export, or JSON as `oto sim serve --credentials` writes it. To copy
    one: open the developer tools of a logged-in browser, choose a request under Network whose
    address holds /bapi/ and /private/, and copy it as cURL. The file must be readable for yourself
    only (chmod 600).

    The session is tried at once; one that the exchange says is over is not stored.
    """
    with house_for_now() as house:
        account = house.users.named(name)
        credentials = _read(file, entry)
        session = _tried(house, credentials)
        if session.state is SessionState.OVER:
            raise click.ClickException(
                f"The exchange says that this session is over ({session.detail}), so it was not "
                "stored; log in with the browser and copy a new request."
            )
        house.users.keep_credentials(account, house.vault.seal(credentials))
        held_up = house.jobs.views(user=name, states={JobState.NEEDS_HUMAN})
    if as_json:
        print_json({"user": name, "stored": True, **_session_json(session)})
        return
    click.echo(f"Stored a session for {name}. {_about(session)}")
    if held_up:
        click.echo(f"{len(held_up)} jobs need you: see `oto job list --user {name}`, then resume.")


@user.command()
@click.argument("name")
def logout(*, name: str) -> None:
    """Forget the stored session of the user NAME.

    The browser's own stays logged in. Refused while jobs of the user are active: they could not
    sell what they hold.
    """
    with house_for_now() as house:
        account = house.users.named(name)
        if active := house.jobs.views(user=name, states=ACTIVE):
            numbers = ", ".join(str(view.job.job_id) for view in active)
            raise click.ClickException(
                f"{name} has active jobs ({numbers}); stop them first with "
                f"`oto job stop --user {name}`."
            )
        house.users.drop_credentials(account)
    click.echo(f"No session of {name} is stored any more.")


@user.command()
@click.argument("name")
def remove(*, name: str) -> None:
    """Remove the user NAME, who never traded.

    The stored session goes too. Users with jobs stay: the ledger needs them.
    """
    with house_for_now() as house:
        house.users.remove(name)
    click.echo(f"Removed {name}.")


@user.command()
@click.argument("name")
@click.option("--i-understand", is_flag=True, help="Do not ask; needed where nobody can type.")
def acknowledge(*, name: str, i_understand: bool) -> None:
    """Read what live trading means, and accept it for NAME.

    Asks to type the user's name. Trading on the simulator needs no acknowledgement.
    """
    with house_for_now() as house:
        account = house.users.named(name)
        click.echo(_TERMS.format(name=name))
        _demand_consent(name, given=i_understand)
        house.users.acknowledge(account)
    click.echo(f"Acknowledged: jobs of {name} may trade live.")


def _demand_consent(name: str, *, given: bool) -> None:
    if given:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can type here; say --i-understand to accept this.")
    if click.prompt(f"Type {name} to accept this", default="", show_default=False) != name:
        raise click.ClickException("That was not the user's name; nothing was acknowledged.")


def _read(file: Path, entry: str | None) -> Credentials:
    try:
        return read_login(_stdin() if file == _STDIN else read_private(file), entry)
    except (PrivateFileError, PastedError) as error:
        sentence = str(error)
    raise click.BadParameter(f"{file}: {sentence}", param_hint="'--from-file'")


def _stdin() -> str:
    if sys.stdin.isatty():
        click.echo("Paste the request that you copied as cURL, then press Ctrl-D.", err=True)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        sentence = "It is not UTF-8 text; save it as such."
    raise PastedError(sentence)


def _tried(house: House, credentials: Credentials) -> Session:
    try:
        base_url = house.exchange_urls.rest
    except NotRunningError:
        return Session(SessionState.NOT_CHECKED, detail="no exchange runs here")
    with PrivateAlpha(base_url, credentials, settings=Settings(attempts=1)) as alpha:
        return check_session(alpha)


def _about(session: Session) -> str:
    if session.state is SessionState.NOT_CHECKED:
        return f"It could not be tried: {session.detail}."
    match session.terms_accepted:
        case True:
            return "It is alive, and the terms for Alpha orders are accepted."
        case False:
            return (
                "It is alive, but the terms for Alpha orders are not accepted: place one limit "
                "order on an Alpha token in the browser or the app and accept them there."
            )
        case _:
            return f"It is alive; whether the terms are accepted is not known: {session.detail}."


def _session_json(session: Session) -> dict[str, str | bool | None]:
    return {
        "session": session.state.value,
        "terms_accepted": session.terms_accepted,
        "detail": session.detail,
    }


def _shown(one: User) -> Row:
    return {
        "user": one.name,
        "logged_in_at": one.logged_in_at,
        "terms_accepted": one.terms_accepted,
        "acknowledged_at": one.acknowledged_at,
        "created_at": one.created_at,
    }
