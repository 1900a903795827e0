"""The control surface, off the exchange's paths: `/sim/…` (docs/simulator.md)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oto.domain import money
from oto.domain.orders import Side
from oto.simulator.accounts import Account, Wallet
from oto.simulator.liquidity import RecordedBook
from oto.simulator.refusals import Refusal
from oto.simulator.settings import PartialFillPolicy
from oto.simulator.simulation import Simulation
from oto.simulator.tape import TapeTrade
from oto.simulator.truth import truth_bytes

Body = dict[str, Any]
Act = Callable[[Request, Body], Any]

_NUMBERS = frozenset(
    {
        *("history_delay_ms", "volume_lag_ms", "fee_millionths"),
        *("zombie_per_mille", "crossed_per_mille"),
    }
)
_DELAYS = frozenset({"match_delay_ms", "report_delay_ms"})
_COUNTERS = frozenset({"last_event_id", "last_list_id"})


class BadControlError(ValueError):
    """A control request that cannot be carried out."""


def routes(simulation: Simulation) -> list[Route]:
    """Return the control routes of one simulation."""
    control = _Control(simulation)
    in_json = control.in_json
    return [
        Route("/sim/health", in_json(control.health), methods=["GET"]),
        Route("/sim/truth", control.truth, methods=["GET"]),
        Route("/sim/step", in_json(control.step), methods=["POST"]),
        Route("/sim/accounts", in_json(control.accounts), methods=["GET"]),
        Route("/sim/accounts/{name}", in_json(control.set_account), methods=["POST"]),
        Route("/sim/faults", in_json(control.faults), methods=["GET"]),
        Route("/sim/faults", in_json(control.switch_on), methods=["POST"]),
        Route("/sim/faults", in_json(control.switch_off), methods=["DELETE"]),
        Route("/sim/settings", in_json(control.change_settings), methods=["POST"]),
        Route("/sim/symbols/{symbol}", in_json(control.change_symbol), methods=["POST"]),
        Route("/sim/symbols/{symbol}/book", in_json(control.set_book), methods=["POST"]),
        Route("/sim/symbols/{symbol}/trade", in_json(control.print_trade), methods=["POST"]),
    ]


class _Control:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._exchange = simulation.exchange

    def in_json(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """Read a JSON object, act, answer JSON; what cannot be done is a 400 with one sentence."""

        async def respond(request: Request) -> Response:
            try:
                body = _object(await request.body())
                self._simulation.catch_up()
                answer = act(request, body)
            except (ValueError, Refusal) as error:
                return _answer({"error": str(error)}, 400)
            except (KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
                return _answer({"error": f"cannot read the request: {error!r}"}, 400)
            self._simulation.catch_up()
            return _answer(answer, 200)

        return respond

    def health(self, _: Request, __: Body) -> Any:  # noqa: ANN401 - goes into JSON
        return {
            "now_ms": self._exchange.now_ms,
            "stepped": self._simulation.stepped,
            "symbols": list(self._exchange.markets),
            "users": [one.name for one in self._exchange.accounts.values()],
            "sockets": len(self._simulation.hub.connections),
        }

    async def truth(self, _: Request) -> Response:
        self._simulation.catch_up()
        return Response(truth_bytes(self._exchange), media_type="application/json")

    def step(self, _: Request, body: Body) -> Any:  # noqa: ANN401
        if not self._simulation.stepped:
            raise BadControlError("the clock is the wall's; start with --stepped to step it")
        self._simulation.step(_whole(body, "ms"))
        return {"now_ms": self._exchange.now_ms}

    def accounts(self, _: Request, __: Body) -> Any:  # noqa: ANN401
        return {"users": [one.credentials() for one in self._exchange.accounts.values()]}

    def set_account(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Create an account, or set its wallets (free amounts), terms and session."""
        name = request.path_params["name"]
        known = {one.name: one for one in self._exchange.accounts.values()}
        account = known.get(name) or self._exchange.add_account(name, money.Amount(Decimal(0)))
        _set_wallets(account, body)
        account.terms_accepted = bool(body.get("terms_accepted", account.terms_accepted))
        account.session_live = bool(body.get("session_live", account.session_live))
        return account.credentials()

    def faults(self, _: Request, __: Body) -> Any:  # noqa: ANN401
        return {
            "active": [asdict(one) for one in self._exchange.faults.active],
            "log": [asdict(one) for one in self._exchange.faults.log],
        }

    def switch_on(self, _: Request, body: Body) -> Any:  # noqa: ANN401
        return asdict(self._simulation.switch_on(body))

    def switch_off(self, request: Request, _: Body) -> Any:  # noqa: ANN401
        wanted = request.query_params.get("id")
        if wanted is not None and not wanted.isdigit():
            raise BadControlError("id must be a whole number")
        removed = self._exchange.faults.switch_off(None if wanted is None else int(wanted))
        return {"removed": removed}

    def change_settings(self, _: Request, body: Body) -> Any:  # noqa: ANN401
        settings = self._exchange.settings
        for name, value in body.items():
            if name in _NUMBERS:
                setattr(settings, name, _whole(body, name))
            elif name in _DELAYS:
                setattr(settings, name, _whole_list(value, name))
            elif name == "partial_fill":
                settings.partial_fill = PartialFillPolicy(value)
            elif name in _COUNTERS:
                setattr(self._exchange, name, _whole(body, name))
            else:
                raise BadControlError(f"no such setting: {name}")
        return asdict(settings)

    def change_symbol(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Merge keys into a symbol's token row and exchange info row, or set its counters."""
        market = self._exchange.market(request.path_params["symbol"])
        market.listing = market.listing.changed(body.get("token", {}), body.get("info", {}))
        if "last_order_id" in body:
            market.last_order_id = _whole(body, "last_order_id")
        if "last_trade_id" in body:
            market.matcher.last_trade_id = _whole(body, "last_trade_id")
        return {"token": market.listing.token_row, "info": market.listing.info_row}

    def set_book(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Replace a symbol's book; levels are `[price, quantity, quantity …]` in order of time."""
        market = self._exchange.market(request.path_params["symbol"])
        if not isinstance(market.matcher.liquidity, RecordedBook):
            market.matcher.liquidity = RecordedBook()
        for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks")):
            if name in body:
                rows = [[money.decimal_from_text(str(one)) for one in row] for row in body[name]]
                book = [(money.Price(row[0]), [money.Quantity(q) for q in row[1:]]) for row in rows]
                market.matcher.liquidity.set(side, book)
        self._simulation.trading.move_book(market)
        return {"book_id": market.book_id}

    def print_trade(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Print one trade as if the tape had it."""
        market = self._exchange.market(request.path_params["symbol"])
        trade = TapeTrade(
            self._exchange.now_ms,
            money.price(str(body["price"])),
            money.quantity(str(body["quantity"])),
            bool(body.get("buyer_is_maker", False)),
        )
        self._simulation.player.play(market, trade)
        return {"trade_id": market.matcher.last_trade_id}


def _object(raw: bytes) -> Body:
    body = json.loads(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        raise BadControlError("the body must be a JSON object")
    return body


def _answer(content: object, status: int) -> Response:
    encoded = msgspec.json.encode(content, enc_hook=_written)
    return Response(encoded, status, media_type="application/json")


def _written(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    raise NotImplementedError


def _set_wallets(account: Account, body: Body) -> None:
    wallets: dict[str, Wallet] = {
        "funding": account.funding,
        "spot": account.spot,
        "earn": account.earn,
    }
    for name, wallet in wallets.items():
        if name in body:
            wallet.free = money.amount(str(body[name]))
    for asset, free in body.get("tokens", {}).items():
        account.token(asset).free = money.quantity(str(free))


def _whole(body: Body, name: str) -> int:
    value = body.get(name)
    if type(value) is not int or value < 0:
        raise BadControlError(f"{name} must be a whole number of zero or more")
    return value


def _whole_list(value: object, name: str) -> list[int]:
    rows = value if isinstance(value, list) else [value]
    if not rows or any(type(one) is not int or one < 0 for one in rows):
        raise BadControlError(f"{name} must be whole numbers of zero or more")
    return list(rows)
