"""Tapes: what a market can be driven with, and what of it cannot be played."""

import gzip
import json
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

import pytest

from oto.simulator import listings
from oto.simulator.tape import MOODS, BadTapeError, TapeBook, TapeFile, TapeTrade, generated
from tests.samples import shared

pytestmark = pytest.mark.unit

AITECH = next(one.rules for one in listings.built_in() if one.rules.symbol == "ALPHA_373USDT")
HEADER = "ts_ms,price,qty,is_buyer_maker\n"

TAPES = {
    "trades/badticks_trxusdt_perp_2025-03-04.csv.gz": (10_000, 1),
    "trades/crash_atomusdt_2025-10-10_sweep.csv.gz": (71, 1),
    "trades/crash_navbtc_2019-06.csv.gz": (45_761, 10_000),
    "trades/crash_rcnbtc_2020-12_2021-01.csv.gz": (36_863, 10_000),
    "trades/gaps_brdbtc_2018-11.csv.gz": (45_512, 10_000),
    "trades/gaps_cvcbtc_2019-08.csv.gz": (38_838, 10_000),
    "trades/quiet_trxusdt_spot_2025-03-04.csv.gz": (10_000, 1),
}


def test_a_csv_tape_is_read_on_the_symbols_grid(tmp_path: Path) -> None:
    path = tmp_path / "tape.csv"
    path.write_text(f"{HEADER}1000,0.000023001234567,10.005,True\n1500,0.000024,0.001,0\n")

    events = list(TapeFile(path, price_scale=Decimal(10_000)).events(AITECH))

    assert events == [
        TapeTrade(1000, Decimal("0.23001234"), Decimal(10), buyer_is_maker=True),  # type: ignore[arg-type]
        TapeTrade(1500, Decimal("0.24"), Decimal("0.01"), buyer_is_maker=False),  # type: ignore[arg-type]
    ]


def test_a_looped_tape_goes_on_in_time(tmp_path: Path) -> None:
    path = tmp_path / "tape.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}1000,0.23,10,1\n1500,0.24,10,0\n".encode()))

    events = list(islice(TapeFile(path, loop=True).events(AITECH), 5))

    assert [event.at_ms for event in events] == [1000, 1500, 1501, 2001, 2002]


@pytest.mark.parametrize(
    "content",
    [
        "",
        HEADER,
        "time,price\n1,2\n",
        f"{HEADER}x,0.23,10,1\n",
        f"{HEADER}1000,NaN,10,1\n",
        f"{HEADER}1000,-1,10,1\n",
        f"{HEADER}1000,0.23\n",
    ],
)
def test_a_file_that_is_no_tape_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(content)

    with pytest.raises(BadTapeError, match=r"broken\.csv"):
        list(TapeFile(path).events(AITECH))


def test_a_tape_that_is_not_there_or_not_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fake.csv.gz").write_text(HEADER)

    for name in ("missing.csv", "fake.csv.gz"):
        with pytest.raises(BadTapeError, match=name):
            list(TapeFile(tmp_path / name).events(AITECH))


def test_a_recorded_socket_gives_books_and_trades_in_order(tmp_path: Path) -> None:
    path = tmp_path / "socket.jsonl"
    delta = {"e": "depthUpdate", "b": [["0.2299", "0.00"]], "a": [["0.2301", "4"]]}
    trade = {"e": "trade", "p": "0.2300", "q": "7", "m": False}
    top = {"u": 1, "b": "1", "B": "1", "a": "2", "A": "1"}
    lines = [
        (1, {"lastUpdateId": 1, "bids": [["0.2299", "5"]], "asks": [["0.2300", "6"]]}),
        (2, {"stream": "x@depth@100ms", "data": delta}),
        (3, {"stream": "x@bookTicker", "data": top}),
        (4, {"stream": "x@trade", "data": trade}),
    ]
    path.write_text("".join(f"{at}000000 {json.dumps(line)}\n" for at, line in lines))

    whole, change, printed = TapeFile(path).events(AITECH)

    assert isinstance(whole, TapeBook)
    assert whole.whole
    assert whole.bids == ((Decimal("0.2299"), Decimal(5)),)
    assert isinstance(change, TapeBook)
    assert not change.whole
    assert change.bids == ((Decimal("0.2299"), Decimal(0)),)
    assert printed == TapeTrade(4, Decimal("0.23"), Decimal(7), buyer_is_maker=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TAPES)
def test_each_recorded_tape_plays_whole_with_rising_times(name: str) -> None:
    rows, scale = TAPES[name]
    tape = TapeFile(shared(f"data/{name}"), price_scale=Decimal(scale))

    last = count = bad = 0
    for event in tape.events(AITECH):
        assert isinstance(event, TapeTrade)
        assert event.at_ms >= last
        last, count = event.at_ms, count + 1
        bad += not event.price

    assert count == rows
    assert bad == ("badticks" in name)


def test_the_recorded_socket_plays_whole() -> None:
    path = shared("data/raw/binance_spot_ws_btcusdt_2024-08-08.jsonl.gz")

    events = list(TapeFile(path, price_scale=Decimal("0.001")).events(AITECH))

    books = [event for event in events if isinstance(event, TapeBook)]
    assert sum(book.whole for book in books) == 1
    assert len(events) > 10_000


@pytest.mark.parametrize("name", sorted(MOODS))
def test_a_mood_walks_the_same_way_for_the_same_seed_on_the_grid(name: str) -> None:
    start = AITECH.price_floor(Decimal("0.2269"))

    first, second, other = (
        list(islice(generated(MOODS[name], AITECH, start, seed), 3_000)) for seed in ("a", "a", "b")
    )

    assert first == second != other
    for event in first:
        assert isinstance(event, TapeTrade)
        assert AITECH.price_violation(event.price) is None
        assert AITECH.quantity_violation(event.quantity) is None


def test_a_crash_falls_by_a_third_within_seconds_and_a_gap_is_silent_for_long() -> None:
    start = AITECH.price_floor(Decimal("0.2269"))
    crash = list(islice(generated(MOODS["crash"], AITECH, start, "s"), 700))
    gap = list(islice(generated(MOODS["gap"], AITECH, start, "s"), 700))

    prices = [event.price for event in crash if isinstance(event, TapeTrade)]
    falls = [after / before for before, after in zip(prices, prices[10:], strict=False)]
    pauses = [after.at_ms - before.at_ms for before, after in pairwise(gap)]

    assert min(falls) < Decimal("0.72")
    assert max(pauses) > 89_000
