"""The price-streamer between a real WebSocket server and a real Valkey that comes and goes."""

import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from oto.domain.market import BookLevel, Symbol
from oto.domain.money import Price, Quantity
from oto.domain.tick import Tick
from oto.infrastructure.alpha.states import StreamTimings
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.latency import Latencies
from oto.infrastructure.redis_store.ticks import TickStore
from oto.infrastructure.servers.binaries import valkey_server
from tests.integration.stream_server import StreamServer, elapsed, stream_server, unused_port
from tests.simulated import AITECH, NEX, Exchange
from tests.waiting import wait_until
from workers.price_streamer import ANSWER_WITHIN_S, PriceStreamer

pytestmark = pytest.mark.integration

PATIENCE_S = 15
QUICK = StreamTimings(
    connect_within_s=2.0,
    ack_within_s=5.0,
    first_backoff_s=0.02,
    longest_backoff_s=0.1,
    poll_every_s=0.01,
)


class Valkey:
    """A Valkey on one port, with nothing kept over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = unused_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client = redis_client(self.url, ANSWER_WITHIN_S)
        self.start()

    def start(self) -> None:
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", ""]
        self.process = subprocess.Popen(
            [valkey_server(), *options], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        wait_until(self._answers)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    running = Valkey(tmp_path)
    yield running
    running.client.close()
    running.end()


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with stream_server() as running:
        yield running


class Streaming:
    """A streamer, and what a test asks about its work."""

    def __init__(self, url: str, valkey: Valkey, symbols: Collection[Symbol]) -> None:
        self.wanted = symbols
        self.fault: Exception | None = None
        self.store = TickStore(valkey.client)
        self.latencies = Latencies(valkey.client)
        self.streamer = PriceStreamer(url, self.store, self.latencies, self._ask, timings=QUICK)

    def _ask(self) -> Collection[Symbol]:
        if self.fault:
            raise self.fault
        return self.wanted

    def wait_tick(self, met: Callable[[Tick], bool], symbol: Symbol = NEX) -> Tick:
        found: list[Tick] = []

        def read() -> bool:
            tick = self.store.read(symbol)
            found[:] = [tick] if tick else []
            return tick is not None and met(tick)

        wait_until(read)
        return found[0]

    def wait_price(self, price: str, symbol: Symbol = NEX) -> Tick:
        return self.wait_tick(lambda tick: tick.trade_price == Decimal(price), symbol)

    def wait_flagged(self, symbol: Symbol = NEX) -> Tick:
        return self.wait_tick(lambda tick: not tick.connected, symbol)

    def samples(self) -> int:
        self.latencies.flush()
        found = self.latencies.percentiles(["frame_to_tick"])
        return found["frame_to_tick"]["samples"] if found else 0


@contextmanager
def streaming(url: str, valkey: Valkey, *symbols: Symbol) -> Iterator[Streaming]:
    at_work = Streaming(url, valkey, symbols)
    at_work.streamer.start()
    try:
        yield at_work
    finally:
        assert at_work.streamer.stop()
    assert not threads_left()


def threads_left() -> set[str]:
    names = {thread.name for thread in threading.enumerate()}
    return names & {"oto-market", "oto-ticks", "oto-wanted"}


def trade(
    trade_id: int, price: str, symbol: Symbol = NEX, quantity: str = "5"
) -> dict[str, object]:
    data = {"e": "aggTrade", "E": 1, "T": 1_779_369_536_868, "s": symbol, "a": trade_id}
    figures = {"p": price, "q": quantity, "f": 1, "l": 1, "m": False}
    return {"stream": f"{symbol.lower()}@aggTrade", "data": data | figures}


def top(update_id: int, bid: str, ask: str) -> dict[str, object]:
    data = {"e": "bookTicker", "E": 1, "T": 1_779_369_536_868, "s": NEX, "u": update_id}
    figures = {"b": bid, "B": "7", "a": ask, "A": "9"}
    return {"stream": f"{NEX.lower()}@bookTicker", "data": data | figures}


def level(price: str, quantity: str) -> BookLevel:
    return BookLevel(Price(Decimal(price)), Quantity(Decimal(quantity)))


def test_what_the_simulated_exchange_shows_is_in_redis(exchange: Exchange, valkey: Valkey) -> None:
    with streaming(exchange.ws, valkey, NEX, AITECH) as at_work:
        wait_until(lambda: exchange.get("/sim/health", {})["sockets"])
        wait_until(lambda: at_work.store.read_many([NEX, AITECH]).keys() == {NEX, AITECH})
        exchange.set_book(AITECH, bids=[["0.22", "70"]], asks=[["0.24", "90"]])
        exchange.control(f"symbols/{AITECH}/trade", {"price": "0.23", "quantity": "5"})
        exchange.step(1_000)
        tick = at_work.wait_price("0.23", AITECH)
        assert tick.connected
        assert (tick.bid, tick.ask) == (level("0.22", "70"), level("0.24", "90"))
        assert timedelta(0) <= tick.age(datetime.now(UTC)) < timedelta(seconds=PATIENCE_S)


def test_a_socket_cut_by_the_exchange_comes_back_with_new_ticks(
    exchange: Exchange, valkey: Valkey
) -> None:
    with streaming(exchange.ws, valkey, AITECH) as at_work:
        before = at_work.wait_tick(lambda tick: tick.connected, AITECH)
        exchange.fault("socket_cut", count=1)
        after = at_work.wait_tick(
            lambda tick: tick.connected and tick.sequence > before.sequence + 1, AITECH
        )
        assert after.received_at > before.received_at


def test_a_lost_symbol_counts_as_connected_only_with_its_own_next_push(
    server: StreamServer, valkey: Valkey
) -> None:
    with streaming(server.url, valkey, NEX, AITECH) as at_work:
        server.commands(0, 1)
        server.peer().json(trade(7, "0.5"))
        server.peer().json(top(7, "0.4", "0.6"))
        server.peer().json(trade(7, "0.2", AITECH))
        before = at_work.wait_tick(lambda tick: tick.bid is not None and bool(tick.trade_price))
        at_work.wait_price("0.2", AITECH)
        server.peer().drop()
        lost = at_work.wait_flagged()
        assert lost == replace(before, connected=False, sequence=lost.sequence)
        server.commands(1, 1)
        server.peer(1).json(trade(1, "0.3", AITECH))
        assert at_work.wait_price("0.3", AITECH).connected
        assert at_work.store.read(NEX) == lost


def test_bad_and_late_frames_leave_the_tick_as_it_was(server: StreamServer, valkey: Valkey) -> None:
    with streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        for frame in (
            trade(7, "0.5"),
            trade(8, "0"),
            trade(8, "0.9", quantity="0"),
            trade(6, "0.8"),
            top(7, "0.4", "0.6"),
            top(6, "0.1", "0.2"),
            trade(1, "0.1", AITECH),
            {"stream": "x", "data": {"e": "aggTrade"}},
        ):
            server.peer().json(frame)
        server.peer().json(top(8, "0.41", "0.6"))
        tick = at_work.wait_tick(lambda tick: tick.bid == level("0.41", "7"))
        assert (tick.trade_price, tick.ask) == (Decimal("0.5"), level("0.6", "9"))
        assert at_work.store.read(AITECH) is None


def test_of_a_burst_the_last_frame_stays(server: StreamServer, valkey: Valkey) -> None:
    with streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        for number in range(1, 1_001):
            server.peer().json(trade(number, f"0.{number:04}"))
        tick = at_work.wait_price("0.1000")
        assert at_work.samples() <= 1_000
        assert at_work.store.read(NEX) == tick


def test_every_written_frame_is_a_latency_sample(server: StreamServer, valkey: Valkey) -> None:
    with streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        for number in range(1, 11):
            server.peer().json(trade(number, f"0.{number}"))
            at_work.wait_price(f"0.{number}")
        wait_until(lambda: at_work.samples() == 10)
        slowest_ms = at_work.latencies.percentiles(["frame_to_tick"])["frame_to_tick"]["p99"]
        assert 0 < slowest_ms < PATIENCE_S * 1_000


def test_symbols_come_and_go_with_what_is_wanted(server: StreamServer, valkey: Valkey) -> None:
    with streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        server.peer().json(trade(1, "0.5"))
        at_work.wait_price("0.5")
        at_work.wanted = [AITECH]
        at_work.wait_flagged()
        names = {name for command in server.commands(0, 3) for name in command["params"]}
        assert "alpha_373usdt@bookTicker" in names
        server.peer().json(trade(2, "0.6"))
        server.peer().json(trade(1, "0.2", AITECH))
        at_work.wait_price("0.2", AITECH)
        assert not at_work.wait_price("0.5").connected


def test_a_tick_that_a_killed_streamer_left_is_flagged(
    server: StreamServer, valkey: Valkey
) -> None:
    left = Tick(NEX, 5, connected=True, received_at=datetime.now(UTC))
    TickStore(valkey.client).write([left])
    with streaming(server.url, valkey, NEX) as at_work:
        assert at_work.wait_flagged() == replace(left, connected=False)


def test_a_stop_flags_every_symbol_and_sequences_go_on_rising(
    server: StreamServer, valkey: Valkey
) -> None:
    with streaming(server.url, valkey, NEX) as first:
        server.commands(0, 1)
        server.peer().json(trade(1, "0.5"))
        assert first.wait_price("0.5").connected
    stopped = first.wait_price("0.5")
    assert not stopped.connected
    with streaming(server.url, valkey, NEX) as second:
        server.commands(1, 1)
        server.peer(1).json(trade(1, "0.6"))
        assert second.wait_price("0.6").sequence > stopped.sequence


def test_an_outage_of_redis_is_logged_once_and_outlasted(
    server: StreamServer, valkey: Valkey
) -> None:
    with capture_logs() as logs, streaming(server.url, valkey, NEX, AITECH) as at_work:
        server.commands(0, 1)
        server.peer().json(trade(1, "0.5"))
        server.peer().json(trade(1, "0.2", AITECH))
        quiet = at_work.wait_price("0.2", AITECH)
        valkey.end()
        server.peer().json(trade(2, "0.6"))
        wait_until(lambda: "ticks_not_written" in events(logs))
        server.peer().json(trade(3, "0.7"))
        valkey.start()
        assert at_work.wait_price("0.7").connected
        assert at_work.wait_price("0.2", AITECH) == quiet
        wait_until(at_work.store.last_beat)
        assert len(server.peers) == 1
        assert at_work.streamer.running
        wait_until(lambda: "ticks_written_again" in events(logs))
    assert events(logs).count("ticks_not_written") == 1
    assert events(logs).count("ticks_written_again") == 1


def test_a_client_survives_a_restart_of_redis_between_two_commands(valkey: Valkey) -> None:
    with redis_client(valkey.url) as idle:
        assert idle.ping()
        valkey.end()
        valkey.start()
        assert idle.ping()


def test_a_connection_lost_while_redis_is_away_is_flagged_when_it_is_back(
    server: StreamServer, valkey: Valkey
) -> None:
    with streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        server.peer().json(trade(1, "0.5"))
        at_work.wait_price("0.5")
        valkey.end()
        server.peer().drop()
        server.commands(1, 1)
        valkey.start()
        assert not at_work.wait_price("0.5").connected


def test_a_redis_that_hangs_does_not_hold_up_the_stop(server: StreamServer, valkey: Valkey) -> None:
    with capture_logs() as logs, streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        server.peer().json(trade(1, "0.5"))
        at_work.wait_price("0.5")
        valkey.process.send_signal(signal.SIGSTOP)
        assert elapsed(at_work.streamer.stop) < 2.0
        assert not threads_left()
        valkey.process.send_signal(signal.SIGCONT)
    assert events(logs).count("ticks_not_written") == 1


def test_wanted_symbols_that_cannot_be_read_are_logged_once_and_stay(
    server: StreamServer, valkey: Valkey
) -> None:
    with capture_logs() as logs, streaming(server.url, valkey, NEX) as at_work:
        server.commands(0, 1)
        at_work.fault = ConnectionError("no database")
        wait_until(lambda: "wanted_symbols_unknown" in events(logs))
        server.peer().json(trade(1, "0.5"))
        assert at_work.wait_price("0.5").connected
        at_work.fault = None
        at_work.wanted = [NEX, AITECH]
        server.commands(0, 2)
    assert events(logs).count("wanted_symbols_unknown") == 1


def test_it_gives_a_sign_of_life_each_second(server: StreamServer, valkey: Valkey) -> None:
    with streaming(server.url, valkey) as at_work:
        wait_until(at_work.store.last_beat)
        first = at_work.store.last_beat()
        wait_until(lambda: at_work.store.last_beat() != first)
        assert not at_work.streamer.wait(0)
        assert at_work.streamer.running
    assert at_work.streamer.wait(0)
    assert not at_work.streamer.running


def events(logs: Sequence[Mapping[str, object]]) -> list[object]:
    return [log["event"] for log in logs]
