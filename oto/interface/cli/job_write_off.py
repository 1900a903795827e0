"""`oto job write-off`: tokens that are gone from the wallet are no longer waited for."""

import getpass
import time

import click

from oto.application.catch_up import CatchUp
from oto.application.ports import NoCredentialsError
from oto.application.write_off import Missing, NotWrittenOffError, Said, WriteOff
from oto.bootstrap import House
from oto.domain.errors import ExchangeError
from oto.domain.job import JobId
from oto.domain.money import trimmed
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli import job_view
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import print_json, usdt


@click.command(name="write-off")
@click.argument("job_id", type=int)
@click.option("--why", default="sold or moved by hand", show_default=True, help="For the log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; asks nothing, needs --yes.")
def write_off(*, job_id: int, why: str, yes: bool, as_json: bool) -> None:
    """Give up tokens of a job that are gone from the wallet.

    For tokens that you sold or moved by hand, so that no job can sell them any more. Reads the
    orders and the wallet first, and refuses unless the wallet really holds less than the job's
    cycle by its fills. Then the cycle ends, all that it held counts as lost in the job's wear, and
    the log says who wrote it off and why. Nothing is placed, sold or cancelled.
    """
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: say --yes too.")
    with house_for_now() as house:
        view = house.jobs.view(JobId(job_id))
        writing = WriteOff(CatchUp(house.ledger, house.exchanges, house.clock, time.sleep))
        missing = _read(writing, view, None)
        if not as_json:
            click.echo(_found(view, missing))
        if not yes:
            click.confirm("Write them off?", abort=True)
        missing = _read(writing, view, Said(getpass.getuser(), why))
        _tell(house, view.job.job_id, missing, as_json=as_json)


def _read(writing: WriteOff, view: JobView, said: Said | None) -> Missing:
    try:
        return writing(view.job.job_id, said)
    except NoCredentialsError:
        raise NotWrittenOffError(
            f"The wallet cannot be read: no session is stored; bring one with "
            f"`oto user login {view.user}`."
        ) from None
    except ExchangeError as error:
        raise NotWrittenOffError(f"The wallet cannot be read: {error}.") from error


def _found(view: JobView, missing: Missing) -> str:
    ticker = job_view.ticker(view)
    return (
        f"Job {view.job.job_id} of {view.user} holds {trimmed(missing.held)} {ticker} by the fills "
        f"of cycle {missing.cycle.number}, bought for {usdt(missing.cycle.bought, 4)} USDT in all. "
        f"The wallet has {trimmed(missing.wallet)}."
    )


def _tell(house: House, job_id: JobId, missing: Missing, *, as_json: bool) -> None:
    view = house.jobs.view(job_id)
    if as_json:
        shown = job_view.job_json(view, None)
        print_json({**shown, "written_off": missing.held, "left_in_wallet": missing.wallet})
        return
    ticker, cost = job_view.ticker(view), job_view.worn(view, None)
    click.echo(
        f"Written off: {trimmed(missing.held)} {ticker} count as lost. The job has worn "
        f"{usdt(cost.cost, 4)} USDT so far and is {job_view.state_words(view)}; "
        f"`oto job resume {job_id}` goes on if it stands still."
    )
    if missing.wallet:
        click.echo(
            f"{trimmed(missing.wallet)} {ticker} are still in the wallet: no job sells them, they "
            "are yours to sell on the exchange."
        )
