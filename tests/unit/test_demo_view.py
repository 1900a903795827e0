"""What the demo shows fits into 80 columns, and its picture needs nothing from elsewhere."""

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from oto.application.audit import Audit
from oto.domain import money, wear
from oto.domain.cycle import CyclePhase
from oto.domain.job import Job, JobId, JobState, Progress, Reason, UserId
from oto.domain.tick import Tick
from oto.domain.wear import Wear
from oto.infrastructure.database.jobs import JobView
from tests.builders import AT, SYMBOL, VOLUME, bought_cycle, tick, token
from workers.demo_result import Result
from workers.demo_view import View, table

pytestmark = pytest.mark.unit

EQUAL = Audit(placed=5, duplicates=0, orphans=0, open_orders=0, differences=())


def view(user: str = "sim-1", bought: str = "60", **changes: object) -> JobView:
    job = Job(
        JobId(1), UserId(1), SYMBOL, VOLUME, money.amount("20"), "cross", 300, JobState.RUNNING
    )
    return JobView(
        job=replace(job, **changes),  # type: ignore[arg-type]
        user=user,
        token=token(),
        detail="",
        created_at=AT,
        ended_at=None,
        progress=Progress(money.amount(bought), money.amount(bought), 3),
        wear=Wear(money.amount(bought), money.amount(bought), money.quantity("0")),
        cycle=None,
        finished=3,
        epoch=9,
        in_turn=False,
    )


def result(*jobs: JobView, **changes: object) -> Result:
    ended = Result(
        jobs=jobs,
        tick=tick(),
        audited=EQUAL,
        refused=0,
        unknown=0,
        latency_ms={},
        cpu_ms_per_cycle=1,
        used={},
        seconds=2,
    )
    return replace(ended, **changes)  # type: ignore[arg-type]


def drawn(*jobs: JobView, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table(jobs, tick(), "9 s"))
    return out.getvalue()


def test_eighty_columns_hold_every_column_in_full() -> None:
    text = drawn(view(), view("sim-100", state=JobState.COMPLETED))

    assert "AITECH at 0.2269, 9 s" in text
    assert "…" not in text
    (first,) = [line for line in text.splitlines() if "sim-1 " in line]
    assert first.split()[-5:] == ["60.00", "3/5", "0.0000", "0.00", "running"]


def test_a_long_reason_folds_and_squeezes_nothing_else() -> None:
    text = drawn(view(state=JobState.WAITING, reason=Reason.ZOMBIE_BOOK))

    assert "…" not in text
    assert " 60.00 " in text
    assert "far off the last" in " ".join(text.split())


def test_the_picture_shows_halfway_and_the_end_and_loads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, file = View(quiet=True, pictured=True), tmp_path / "demo.svg"
    for bought in ("20", "60", "80"):
        shown.show([view(bought=bought)], tick(), 1)
    shown.summarise(result(view(bought="100")))

    shown.save_picture(file, "oto demo")

    svg = file.read_text().replace("&#160;", " ")
    assert svg.startswith("<svg")
    assert svg.count("progress") == 2
    assert "60.00" in svg
    assert "80.00" not in svg
    assert "Every user is flat." in svg
    assert "@font-face" not in svg
    assert "href" not in svg
    assert not capsys.readouterr().out


def test_what_differs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    audited = replace(EQUAL, open_orders=1, differences=("order 7: only the exchange has it",))

    View(quiet=False).summarise(result(view(), audited=audited))

    text = capsys.readouterr().out
    assert "Not every user is flat." in text
    assert "differs from the exchange's own record:\n  order 7: only the exchange has it" in text


def test_without_a_terminal_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    shown = View(quiet=False)
    with shown.live():
        for seconds in (0, 1, 6):
            shown.show([view(bought=str(Decimal(20) + seconds))], tick(), seconds)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "6"]
    assert lines[1].endswith("sim-1  26.00 USDT  running")


@pytest.mark.parametrize(
    ("prices", "cost", "bps"),
    [
        (tick(bid="0.22690"), "0.0108", "5.40"),
        (tick(bid="0.29690", trade="0.22690"), "0.0108", "5.40"),
        (None, "0.0020", "1.00"),
    ],
    ids=["at-the-bid", "at-the-last-trade-below-a-zombie-bid", "at-the-listed-price"],
)
def test_what_is_parked_is_worth_the_same_in_the_table_and_in_json(
    prices: Tick | None, cost: str, bps: str
) -> None:
    """Bought for 20.00097 USDT, and 88.101189 tokens of it are still there."""
    cycle = replace(bought_cycle(), phase=CyclePhase.PARKED)
    held = replace(view(bought="20.00097"), cycle=cycle, wear=wear.of_cycle(cycle))

    (job,) = result(held, tick=prices).as_json()["jobs"]
    out = io.StringIO()
    Console(file=out, width=80).print(table([held], prices, "9 s"))

    assert (f"{Decimal(job['wear_usdt']):.4f}", job["wear_bps"]) == (cost, bps)
    assert f"{cost}  {bps}" in out.getvalue()
    assert job["parked"] == f"{cycle.exposure:f}"
