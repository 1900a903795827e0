"""`oto job log`, `replay` and `explain`: what a job saw and decided, and whether it holds."""

from pathlib import Path

import click

from oto.application.explain import explain as told
from oto.application.job_log import LOG_KEPT, JobLog, first_amiss
from oto.application.replay import replay as replayed
from oto.domain.errors import SentenceError
from oto.domain.job import JobId
from oto.infrastructure.log_file import read_log, write_log
from oto.interface.cli import job_log_view
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import print_json

_LOG_TAIL = 20
_MOST_LOG = 10_000
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_FROM_FILE = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A log that `oto job log ID --export` wrote, instead of a job here.",
)


class NoLogError(SentenceError):
    """There is nothing to look at."""


@click.command()
@click.argument("job_id", type=int)
@click.option(
    "-n",
    "newest",
    type=click.IntRange(1, _MOST_LOG),
    default=_LOG_TAIL,
    show_default=True,
    help="How many of the newest entries to show.",
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the whole log into this file instead; packed if its name ends in .gz.",
)
@_JSON
def log(*, job_id: int, newest: int, export: Path | None, as_json: bool) -> None:
    """Show the newest entries of a job's log, or write all of it into a file.

    The log has what was seen and what was decided, and of what. It holds no login.
    """
    if export is not None:
        whole = _whole(job_id)
        write_log(export, whole)
        written = {"job_id": job_id, "file": str(export), "entries": len(whole.entries)}
        words = f"Wrote the {len(whole.entries)} entries of job {job_id} to {export}."
        print_json(written) if as_json else click.echo(words)
        return
    with house_for_now() as house:
        view = house.jobs.view(JobId(job_id))
        entries = house.jobs.log(view.job.job_id, newest)
    if as_json:
        print_json([job_log_view.entry_json(entry) for entry in entries])
        return
    for entry in entries:
        click.echo(job_log_view.entry_line(entry))


@click.command()
@click.argument("job_id", type=int, required=False)
@_FROM_FILE
@_JSON
@click.pass_context
def replay(ctx: click.Context, *, job_id: int | None, file: Path | None, as_json: bool) -> None:
    """Make every decision of a job again, from its log alone.

    First the log itself is verified: each entry is chained to the one before, and the job's row
    knows the last. Then each decision is made again by this version, from what it was made of. The
    first one that comes out differently is shown beside what was decided. The exit code is 1 if
    the log was changed or a decision differs.
    """
    whole = _chosen(job_id, file)
    amiss, again = first_amiss(whole), replayed(whole.entries)
    if as_json:
        print_json(job_log_view.replay_json(whole, amiss, again))
    else:
        job_log_view.print_replay(whole, amiss, again)
    ctx.exit(0 if amiss is None and not again.differences else 1)


@click.command()
@click.argument("job_id", type=int, required=False)
@_FROM_FILE
@click.option("--cycle", type=click.IntRange(1), help="Only this cycle of the job.")
@_JSON
def explain(*, job_id: int | None, file: Path | None, cycle: int | None, as_json: bool) -> None:
    """Tell in sentences why a job did what it did, cycle by cycle.

    Why it bought then and there, what it sent and what the exchange answered, what was lost and how
    that was resolved, why it cancelled, how it sold, what it cost; why it waited and ended. Times
    are of this machine's zone.
    """
    whole = _chosen(job_id, file)
    parts = [part for part in told(whole.entries) if cycle in {None, part.cycle}]
    if not parts:
        raise NoLogError(f"Job {whole.job_id} has no cycle {cycle}.")
    if as_json:
        print_json(job_log_view.story_json(whole.job_id, parts))
    else:
        job_log_view.print_story(parts)


def _chosen(job_id: int | None, file: Path | None) -> JobLog:
    if (job_id is None) == (file is None):
        raise click.UsageError("Say either the number of a job or --file.")
    return read_log(file) if file is not None else _whole(job_id or 0)


def _whole(job_id: int) -> JobLog:
    with house_for_now() as house:
        found = house.jobs.whole_log(JobId(job_id))
    if not found.entries and not found.length:
        raise NoLogError(
            f"Job {job_id} has no log any more: it is dropped {LOG_KEPT.days} days after the end."
        )
    return found
