import threading
from collections.abc import Iterator

import fakeredis
import pytest
import redis
from structlog.testing import capture_logs

from oto.infrastructure.redis_store.latency import KEPT, Latencies

pytestmark = pytest.mark.unit

PATIENCE_S = 10


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
def client(server: fakeredis.FakeServer) -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis(server=server, decode_responses=True) as connected:
        yield connected


@pytest.fixture
def latencies(client: redis.Redis) -> Latencies:
    return Latencies(client)


def record_all(latencies: Latencies, name: str, values: range) -> None:
    for ms in values:
        latencies.record(name, ms)


def test_percentiles_are_samples_that_so_many_do_not_exceed(latencies: Latencies) -> None:
    record_all(latencies, "step", range(100, 0, -1))
    latencies.record("tick_to_post", 4.125)
    latencies.flush()
    assert latencies.percentiles(["step", "tick_to_post", "report_to_ledger"]) == {
        "step": {"p50": 50, "p95": 95, "p99": 99, "samples": 100},
        "tick_to_post": {"p50": 4.125, "p95": 4.125, "p99": 4.125, "samples": 1},
    }


def test_samples_of_several_processes_come_together(client: redis.Redis) -> None:
    for ms in (1, 3):
        latencies = Latencies(client)
        latencies.record("step", ms)
        latencies.flush()
    assert Latencies(client).percentiles(["step"])["step"]["samples"] == 2


def test_only_the_latest_samples_stay(latencies: Latencies) -> None:
    record_all(latencies, "step", range(KEPT))
    latencies.flush()
    record_all(latencies, "step", range(KEPT, KEPT + 10))
    latencies.flush()
    found = latencies.percentiles(["step"])["step"]
    assert (found["samples"], found["p50"]) == (KEPT, 10 + KEPT // 2 - 1)


def test_cleared_samples_are_gone_from_redis_and_from_here(
    latencies: Latencies, client: redis.Redis
) -> None:
    client.set("oto:other", "stays")
    record_all(latencies, "step", range(5))
    latencies.flush()
    latencies.record("step", 1)
    latencies.clear()
    latencies.clear()
    latencies.flush()
    assert client.keys() == ["oto:other"]


def test_they_reach_redis_by_themselves(latencies: Latencies, client: redis.Redis) -> None:
    latencies.start()
    latencies.record("step", 2.5)
    assert client.blpop(["oto:latency:step"], PATIENCE_S) == ("oto:latency:step", "2.500")
    latencies.stop()


def test_a_stop_sends_what_is_left(latencies: Latencies) -> None:
    latencies.start()
    record_all(latencies, "step", range(7))
    latencies.stop()
    assert latencies.percentiles(["step"])["step"]["samples"] == 7


def test_one_that_never_started_can_be_stopped_and_loses_nothing(latencies: Latencies) -> None:
    latencies.record("step", 1)
    latencies.stop()
    latencies.flush()
    assert latencies.percentiles(["step"])["step"]["samples"] == 1


def test_samples_outlast_an_outage_in_their_order_and_it_is_logged(
    latencies: Latencies, server: fakeredis.FakeServer, client: redis.Redis
) -> None:
    server.connected = False
    latencies.record("step", 1)
    with capture_logs() as logs:
        with pytest.raises(redis.ConnectionError):
            latencies.flush()
        latencies.start()
        latencies.record("step", 2)
        latencies.stop()
    assert [log["event"] for log in logs] == ["latencies_not_sent"]
    server.connected = True
    latencies.flush()
    assert client.lrange("oto:latency:step", 0, -1) == ["1.000", "2.000"]


def test_the_newest_samples_are_kept_in_a_long_outage(
    latencies: Latencies, server: fakeredis.FakeServer
) -> None:
    server.connected = False
    record_all(latencies, "step", range(KEPT))
    with pytest.raises(redis.ConnectionError):
        latencies.flush()
    record_all(latencies, "step", range(KEPT, 2 * KEPT))
    with pytest.raises(redis.ConnectionError):
        latencies.flush()
    server.connected = True
    latencies.flush()
    assert latencies.percentiles(["step"])["step"]["p50"] == KEPT + KEPT // 2 - 1


def test_threads_may_record_while_samples_are_sent(latencies: Latencies) -> None:
    recorders = [
        threading.Thread(target=record_all, args=(latencies, "step", range(2_000)))
        for _ in range(4)
    ]
    for recorder in recorders:
        recorder.start()
    while any(recorder.is_alive() for recorder in recorders):
        latencies.flush()
    latencies.flush()
    assert latencies.percentiles(["step"])["step"]["samples"] == 8_000
