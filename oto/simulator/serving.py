"""From the options of `oto sim serve` to a running server."""

import json
import os
import signal
import threading
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from oto.domain.market import Symbol, SymbolRules
from oto.domain.money import Amount
from oto.simulator import listings
from oto.simulator.exchange import Exchange
from oto.simulator.faults import BadFaultError
from oto.simulator.listings import BadListingError
from oto.simulator.playing import Program
from oto.simulator.saved import BadStateError, Saved
from oto.simulator.server import bound_socket, serve
from oto.simulator.settings import PartialFillPolicy, Settings
from oto.simulator.simulation import Plan, Simulation
from oto.simulator.state_file import StateFile
from oto.simulator.tape import MOODS, BadTapeError, TapeFile

_LOOK_EVERY_S = 0.2


class CannotServeError(Exception):
    """The simulator cannot run as it was asked to; the message is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `oto sim serve` was asked; the names are those of its options."""

    host: str
    port: int
    ready_file: Path | None
    tapes: tuple[str, ...]
    price_scale: Decimal
    loop: bool
    market: str
    speed: Decimal
    seed: int
    stepped: bool
    start_ms: int | None
    token_list: Path | None
    exchange_info: Path | None
    users: int
    balance: Decimal
    credentials: Path
    state: Path | None
    faults: Path | None
    partial_fill: str
    match_delay_ms: int
    report_delay_ms: int
    parent: int | None


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        CannotServeError: an option, a file or the address is not usable.
    """
    if options.parent is not None:
        _end_with(options.parent)
    try:
        with nullcontext() if options.state is None else closing(StateFile(options.state)) as state:
            _run(options, state)
    except BadStateError as error:
        raise CannotServeError(f"cannot use {options.state}: {error}") from error


def _end_with(parent: int) -> None:
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, name="oto-parent", daemon=True).start()


def _run(options: ServeOptions, state: StateFile | None) -> None:
    try:
        simulation = _simulation(options, None if state is None else state.load())
        listening = bound_socket(options.host, options.port)
    except (BadTapeError, BadListingError, BadFaultError) as error:
        raise CannotServeError(str(error)) from error
    except OSError as error:
        raise CannotServeError(f"cannot serve: {error.strerror or error}") from error
    serve(simulation, listening, options.ready_file, state)


def _simulation(options: ServeOptions, saved: Saved | None) -> Simulation:
    listed = _listings(options)
    settings = Settings(
        PartialFillPolicy(options.partial_fill),
        [options.match_delay_ms],
        [options.report_delay_ms],
    )
    simulation = Simulation(
        Plan(
            listed,
            _program(options, {one.rules.symbol: one.rules for one in listed if one.tradable}),
            settings,
            seed=options.seed,
            stepped=options.stepped,
            start_ms=options.start_ms,
            saved=saved,
        )
    )
    _add_users(simulation.exchange, options)
    if options.users:
        _write_credentials(simulation, options.credentials)
    if options.faults is not None:
        _switch_on(simulation, options.faults)
    return simulation


def _listings(options: ServeOptions) -> list[listings.Listing]:
    if options.token_list is None and options.exchange_info is None:
        return listings.built_in()
    if options.token_list is None or options.exchange_info is None:
        raise CannotServeError("--token-list and --exchange-info go together; give both")
    return listings.load(options.token_list, options.exchange_info)


def _program(options: ServeOptions, free: dict[Symbol, SymbolRules]) -> Program:
    tapes: dict[Symbol, TapeFile] = {}
    for asked in options.tapes:
        name, _, file = asked.rpartition("=")
        symbol = Symbol(name) if name else next(iter(free), Symbol(""))
        rules = free.pop(symbol, None)
        if rules is None:
            raise CannotServeError(f"--tape {asked}: no tradable symbol {name!r} is left for it")
        tapes[symbol] = TapeFile(Path(file), options.price_scale, options.loop)
        tapes[symbol].check(rules)
    return Program(tapes, MOODS.get(options.market), options.speed)


def _add_users(exchange: Exchange, options: ServeOptions) -> None:
    known = {account.name for account in exchange.accounts.values()}
    for name in (f"sim-{number}" for number in range(1, options.users + 1)):
        if name not in known:
            exchange.add_account(name, Amount(options.balance))


def _write_credentials(simulation: Simulation, path: Path) -> None:
    users = [account.credentials() for account in simulation.exchange.accounts.values()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        path.chmod(0o600)  # the file may have been there, open to others
        json.dump({"users": users}, file, indent=1)


def _switch_on(simulation: Simulation, path: Path) -> None:
    try:
        schedule = json.loads(path.read_text())
        simulation.exchange.faults.reseed(schedule.get("seed", simulation.exchange.seed))
        for fault in schedule["faults"]:
            simulation.switch_on(fault)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotServeError(f"{path} is not a fault schedule: {error}") from error
