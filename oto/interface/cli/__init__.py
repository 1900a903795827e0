"""The `oto` command: one group per noun, each loaded when it is used."""

import errno
import sys

import click

from oto.domain.errors import SentenceError
from oto.interface.cli.lazy import LazyCommands

_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class OneSentenceGroup(click.Group):
    """Ends what a person can do nothing about in code with one sentence, unless --debug."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except Exception as error:
            if ctx.params.get("debug") or not _is_for_a_person(error):
                raise
            sentence = one_sentence(error)
        raise click.ClickException(sentence)


def one_sentence(error: Exception) -> str:
    """Say what went wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _is_for_a_person(error: Exception) -> bool:
    if isinstance(error, OSError):
        return not _pipe_closed(error)
    # Only what has been loaded can have raised.
    redis = sys.modules.get("redis")
    return isinstance(error, SentenceError) or (
        redis is not None and isinstance(error, redis.RedisError)
    )


def _pipe_closed(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


@click.group(cls=OneSentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alpha-oto", prog_name="oto")
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
def main(*, debug: bool) -> None:
    """Trade Binance Alpha tokens in OTO pairs, with every order accounted for."""
    del debug  # read by the group


COMMANDS = {
    "bench": "oto.interface.cli.bench:bench",
    "db": "oto.interface.cli.db:db",
    "doctor": "oto.interface.cli.doctor:doctor",
    "exchange": "oto.interface.cli.exchange:exchange",
    "halt": "oto.interface.cli.halt:halt",
    "job": "oto.interface.cli.job:job",
    "reconcile": "oto.interface.cli.reconcile:reconcile",
    "unhalt": "oto.interface.cli.halt:unhalt",
    "user": "oto.interface.cli.user:user",
}
"""Where each command is, as `module:name`."""

main.commands = LazyCommands(COMMANDS)
