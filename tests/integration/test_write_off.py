"""Tokens that someone sold by hand: written off by their owner and the wallet, by no one else."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from oto.application.catch_up import CatchUp
from oto.application.explain.story import explain
from oto.application.job_log import first_broken
from oto.application.replay import replay
from oto.application.write_off import Missing, NotWrittenOffError, Said, WriteOff
from oto.domain.cycle import CyclePhase
from oto.domain.events import EventKind
from oto.domain.job import JobState, Reason, Wish
from tests.loop import Loop, running_loop
from tests.simulated import AITECH, Exchange

pytestmark = pytest.mark.integration

BY_HAND = Said("ann", "sold in the app")


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        made.start()
        made.buy_before_a_fall(turns=12)
        assert made.cycles()[0].phase is CyclePhase.PARKED
        yield made
        log = made.jobs.log(made.job_id)
        assert first_broken(log) is None
        assert replay(log).differences == ()


def write_off(loop: Loop, said: Said | None = BY_HAND) -> Missing:
    catching = CatchUp(loop.ledger, loop.exchanges, loop.clock, loop.pass_time)
    return WriteOff(catching)(loop.job_id, said)


def leave_in_the_wallet(loop: Loop, tokens: str) -> None:
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": tokens}})


def test_what_is_gone_counts_as_lost_and_the_log_says_who_and_why(loop: Loop) -> None:
    held, cost = loop.cycles()[0].exposure, loop.view().wear.cost
    leave_in_the_wallet(loop, "3")

    missing = write_off(loop)

    (entry,) = [
        one for one in loop.jobs.log(loop.job_id) if one.kind == EventKind.WRITTEN_OFF.value
    ]
    assert (missing.held, missing.wallet) == (held, Decimal(3))
    assert entry.body == {
        "who": "ann",
        "why": "sold in the app",
        "held": str(held),
        "wallet": entry.body["wallet"],
    }
    assert Decimal(entry.body["wallet"]) == 3
    told = [one.text for part in explain(loop.jobs.log(loop.job_id)) for one in part.sentences]
    assert any("ann wrote off the" in text and "only 3" in text for text in told)
    assert loop.cycles()[0].phase is CyclePhase.WRITTEN_OFF
    # Nothing was received for it, so the whole price of it is worn.
    assert loop.view().wear.cost == cost > 19
    assert loop.view().cycle is None


def test_asking_only_changes_nothing(loop: Loop) -> None:
    leave_in_the_wallet(loop, "0")

    assert write_off(loop, None).wallet == 0

    assert loop.cycles()[0].phase is CyclePhase.PARKED


def test_while_the_wallet_holds_enough_nothing_is_written_off(loop: Loop) -> None:
    with pytest.raises(NotWrittenOffError, match="Nothing is missing"):
        write_off(loop)

    assert loop.cycles()[0].phase is CyclePhase.PARKED


def test_a_job_that_found_its_sales_refused_goes_on_after_it(loop: Loop) -> None:
    leave_in_the_wallet(loop, "0")
    loop.book("0.22690000", "0.22700000")
    assert loop.until("needs_human").job.reason is Reason.AMBIGUOUS

    write_off(loop)
    loop.wish(Wish.RUN)

    assert loop.until("completed").cycle is None


def test_a_stopped_job_has_no_reason_any_more_to_be_taken_up(loop: Loop) -> None:
    loop.wish(Wish.STOP)
    assert loop.until("stopped").job.reason is Reason.PARKED
    leave_in_the_wallet(loop, "0")

    write_off(loop)

    view = loop.view()
    assert (view.job.state, view.job.reason, view.cycle) == (JobState.STOPPED, None, None)


def test_what_may_still_change_is_not_written_off(loop: Loop) -> None:
    loop.book("0.22690000", "0.22700000", depth="1")
    loop.exchange.set_book(AITECH, bids=[["0.22690000", "1"]], asks=[["0.22700000", "1"]])
    loop.turns(2)
    assert any(leg.open for leg in loop.cycles()[0].exits)

    with pytest.raises(NotWrittenOffError, match="may still change"):
        write_off(loop)


def test_a_job_without_tokens_has_nothing_to_write_off(loop: Loop) -> None:
    loop.book("0.22690000", "0.22700000")
    loop.until("completed")

    with pytest.raises(NotWrittenOffError, match="holds no tokens"):
        write_off(loop)
