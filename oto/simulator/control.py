"""The control surface, off the exchange's paths: `/sim/…` (docs/simulator.md)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from oto.domain import money
from oto.domain.orders import Side
from oto.simulator import control_input, strict_json
from oto.simulator.control_input import COUNTERS, BadControlError, Body
from oto.simulator.liquidity import RecordedBook, SyntheticBook
from oto.simulator.refusals import Refusal
from oto.simulator.simulation import Simulation
from oto.simulator.tape import TapeTrade
from oto.simulator.truth import truth_bytes

Act = Callable[[Request, Body], Any]

_SLICE_MS = 60_000

_OF_BOOKS = frozenset({"crossed_per_mille", "depth_usdt", "zombie_per_mille"})
_WALLETS = ("funding", "spot", "earn")
_FLAGS = ("terms_accepted", "session_live", "redeem")


def routes(simulation: Simulation) -> list[Route]:
    """Return the control routes of one simulation."""
    control = _Control(simulation)
    in_json = control.in_json
    return [
        Route("/sim/health", in_json(control.health), methods=["GET"]),
        Route("/sim/truth", control.truth, methods=["GET"]),
        Route("/sim/posts", in_json(control.posts), methods=["GET"]),
        Route("/sim/step", control.step, methods=["POST"]),
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
            except ClientDisconnect:
                return Response(status_code=400)
            except (ValueError, Refusal) as error:
                return _answer({"error": str(error)}, 400)
            except (KeyError, TypeError, AttributeError) as error:
                return _answer({"error": f"cannot read the request: {error!r}"}, 400)
            self._simulation.catch_up()
            return _answer(answer, 200)

        return respond

    def health(self, _: Request, __: Body) -> Any:  # noqa: ANN401 - goes into JSON
        return {
            "now_ms": self._exchange.now_ms,
            "behind_ms": self._simulation.behind_ms,
            "stepped": self._simulation.stepped,
            "symbols": list(self._exchange.markets),
            "users": [one.name for one in self._exchange.accounts.values()],
            "sockets": len(self._simulation.hub.connections),
        }

    async def truth(self, _: Request) -> Response:
        self._simulation.catch_up()
        return Response(truth_bytes(self._exchange), media_type="application/json")

    def posts(self, _: Request, __: Body) -> Any:  # noqa: ANN401
        return [asdict(post) for post in self._exchange.posts]

    async def step(self, request: Request) -> Response:
        """Move a stepped clock, in slices so that a long step does not deafen the server."""
        try:
            if not self._simulation.stepped:
                raise BadControlError("the clock is the wall's; start with --stepped to step it")
            body = _object(await request.body())
            end_ms = self._exchange.now_ms + control_input.whole(
                body.get("ms"), "ms", control_input.MONTH_MS
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except ValueError as error:
            return _answer({"error": str(error)}, 400)
        while (left_ms := end_ms - self._exchange.now_ms) > 0:
            self._simulation.step(min(left_ms, _SLICE_MS))
            await asyncio.sleep(0)
        return _answer({"now_ms": self._exchange.now_ms}, 200)

    def accounts(self, _: Request, __: Body) -> Any:  # noqa: ANN401
        return {"users": [one.credentials() for one in self._exchange.accounts.values()]}

    def set_account(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Create an account, or set its wallets (free amounts), terms and session.

        `redeem` moves what is in earn to funding.
        """
        name = request.path_params["name"]
        known = {one.name: one for one in self._exchange.accounts.values()}
        held = {key: control_input.held(body[key], key) for key in _WALLETS if key in body}
        tokens = control_input.mapping(body, "tokens")
        tokens = {asset: control_input.held(free, asset) for asset, free in tokens.items()}
        flags = {key: control_input.flag(body[key], key) for key in _FLAGS if key in body}
        account = known.get(name) or self._exchange.add_account(name, money.Amount(Decimal(0)))
        for key, free in held.items():
            getattr(account, key).free = free
        for asset, free in tokens.items():
            account.token(asset).free = free
        if flags.pop("redeem", False):
            account.redeem_from_earn()
        for key, value in flags.items():
            setattr(account, key, value)
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
        found = {name: control_input.setting(name, value) for name, value in body.items()}
        settings = self._exchange.settings
        for name, value in found.items():
            setattr(self._exchange if name in COUNTERS else settings, name, value)
        for market in self._exchange.markets.values():
            liquidity = market.matcher.liquidity
            if "depth_usdt" in found and isinstance(liquidity, SyntheticBook):
                liquidity.reshape(settings.book)
            if found.keys() & _OF_BOOKS:
                self._simulation.settlement.move_book(market)
        return asdict(settings)

    def change_symbol(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Merge keys into a symbol's token row and exchange info row, or set its counters."""
        market = self._exchange.market(request.path_params["symbol"])
        listing = control_input.changed(market.listing, body)
        counters = {
            name: control_input.whole(body[name], name)
            for name in ("last_order_id", "last_trade_id")
            if name in body
        }
        market.listing = listing
        market.last_order_id = counters.get("last_order_id", market.last_order_id)
        matcher = market.matcher
        matcher.last_trade_id = counters.get("last_trade_id", matcher.last_trade_id)
        return {"token": market.listing.token_row, "info": market.listing.info_row}

    def set_book(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Replace a symbol's book; levels are `[price, quantity, quantity …]` in order of time."""
        market = self._exchange.market(request.path_params["symbol"])
        rules = market.listing.rules
        sides = {
            side: control_input.book_rows(rules, body[name])
            for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks"))
            if name in body
        }
        liquidity = market.matcher.liquidity
        if not isinstance(liquidity, RecordedBook):
            market.matcher.liquidity = liquidity = RecordedBook()
        for side, levels in sides.items():
            liquidity.set(side, levels)
        self._simulation.settlement.move_book(market)
        return {"book_id": market.book_id}

    def print_trade(self, request: Request, body: Body) -> Any:  # noqa: ANN401
        """Print one trade as if the tape had it."""
        market = self._exchange.market(request.path_params["symbol"])
        price, quantity = control_input.printed(market.listing.rules, body)
        maker = control_input.flag(body.get("buyer_is_maker", False), "buyer_is_maker")
        trade = TapeTrade(self._exchange.now_ms, price, quantity, maker)
        self._simulation.player.play(market, trade)
        return {"trade_id": market.matcher.last_trade_id}


def _object(raw: bytes) -> Body:
    body = strict_json.read(raw) if raw.strip() else {}
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
