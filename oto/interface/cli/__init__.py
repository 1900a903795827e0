"""The `oto` command: one group per noun."""

import errno

import click
import redis

from oto.application.jobs import JobNotChangedError, JobNotStartedError
from oto.application.ports import LedgerUnavailableError
from oto.bootstrap import NotRunningError
from oto.domain.errors import ExchangeError
from oto.infrastructure.database.catalog import UnknownTokenError
from oto.infrastructure.database.jobs import UnknownJobError
from oto.infrastructure.database.users import (
    UnknownUserError,
    UserInUseError,
    UserNotAddedError,
)
from oto.infrastructure.pasted import PastedError
from oto.infrastructure.private_file import PrivateFileError
from oto.infrastructure.servers import ServersError
from oto.infrastructure.settings import SettingsError
from oto.infrastructure.vault import VaultError
from oto.interface.cli.bench import bench
from oto.interface.cli.db import db
from oto.interface.cli.doctor import doctor
from oto.interface.cli.exchange import exchange
from oto.interface.cli.house import SchemaNotCurrentError
from oto.interface.cli.job import job
from oto.interface.cli.user import user

# Errors that say to a person what is wrong and what to do.
SENTENCES = (
    ExchangeError,
    OSError,
    SettingsError,
    VaultError,
    PastedError,
    PrivateFileError,
    ServersError,
    NotRunningError,
    LedgerUnavailableError,
    UnknownUserError,
    UserInUseError,
    UserNotAddedError,
    UnknownTokenError,
    UnknownJobError,
    JobNotStartedError,
    JobNotChangedError,
    SchemaNotCurrentError,
    redis.RedisError,
)

_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class OneSentenceGroup(click.Group):
    """Ends what a person can do nothing about in code with one sentence, unless --debug."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except SENTENCES as error:
            if ctx.params.get("debug") or _pipe_closed(error):
                raise
            sentence = one_sentence(error)
        raise click.ClickException(sentence)


def one_sentence(error: Exception) -> str:
    """Say what went wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _pipe_closed(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


@click.group(cls=OneSentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alpha-oto", prog_name="oto")
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
def main(*, debug: bool) -> None:
    """Trade Binance Alpha tokens in OTO pairs, with every order accounted for."""
    del debug  # read by the group


for command in (bench, db, doctor, exchange, job, user):
    main.add_command(command)
