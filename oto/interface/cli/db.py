"""`oto db`: the database's schema."""

import click
from alembic.util import CommandError

from oto.infrastructure.database import schema
from oto.interface.cli.house import servers_for_now
from oto.interface.cli.output import print_json


@click.group()
def db() -> None:
    """Bring the database's schema up to date."""


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def upgrade(*, as_json: bool) -> None:
    """Apply the migrations that are missing.

    Without any it changes nothing. Works on OTO_DATABASE_URL, else on the embedded server, which
    runs for the moment if `oto up` does not. `oto up` does this by itself.
    """
    with servers_for_now() as (house, _):
        before = schema.current_revision(house.engine)
        try:
            schema.upgrade(house.engine)
        except CommandError:
            raise click.ClickException(
                f"The schema {before} is of another version of this program; use that one, or a "
                "newer one."
            ) from None
        after = schema.current_revision(house.engine)
    if as_json:
        print_json({"before": before, "current": after})
    elif before == after:
        click.echo(f"The schema was up to date: {after}.")
    else:
        click.echo(f"The schema is up to date: {before or 'empty'} → {after}.")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Tell whether the schema is the one that this program needs.

    The exit code is 0 if they are the same.
    """
    with servers_for_now() as (house, _):
        current, needed = schema.current_revision(house.engine), schema.newest_revision()
    if as_json:
        print_json({"current": current, "needed": needed, "up_to_date": current == needed})
    elif current == needed:
        click.echo(f"The schema is up to date: {current}.")
    else:
        click.echo(f"The schema is {current or 'empty'}, needed is {needed}: run `oto db upgrade`.")
    ctx.exit(0 if current == needed else 1)
