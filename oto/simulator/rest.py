"""The REST surface: one ASGI application that dispatches, checks the session and strikes faults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from oto.simulator import calls_account, calls_orders, calls_public
from oto.simulator.accounts import Account
from oto.simulator.answers import (
    LOST,
    JsonAnswer,
    after_effect,
    before_effect,
    refused,
    web_page,
)
from oto.simulator.calls import Answer, Call, Endpoint, read_json
from oto.simulator.exchange import Post
from oto.simulator.faults import REST_FAULTS, FaultKind
from oto.simulator.refusals import Code, Refusal
from oto.simulator.simulation import Simulation
from oto.simulator.wire_extension import wire_of

_MOST_BODY_BYTES = 1 << 20

_ALPHA = "/bapi/defi/v1/public/alpha-trade"
_TOKENS = "/bapi/defi/v1/public/wallet-direct/buw/wallet/cex/alpha"
_WALLET = "/bapi/defi/v1/private/wallet-direct"
_ASSETS = "/bapi/asset/v2/private/asset-service/wallet"
_ASSETS_3 = "/bapi/asset/v3/private/asset-service"
_TRADE = "/bapi/defi/v1/private/alpha-trade"
_PLACE = "/bapi/asset/v1/private/alpha-trade"

ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", f"{_TOKENS}/all/token/list"): calls_public.token_list,
    ("GET", f"{_TOKENS}/token/full/info"): calls_public.token_full_info,
    ("GET", f"{_TOKENS}/chain/list"): calls_public.chain_list,
    ("GET", f"{_TOKENS}/token/pair/cfg/list"): calls_public.pair_config,
    ("GET", f"{_ALPHA}/aggTicker24"): calls_public.token_list,
    ("GET", f"{_ALPHA}/get-from-asset"): calls_public.quote_assets,
    ("GET", f"{_ALPHA}/get-exchange-info"): calls_public.exchange_info,
    ("GET", f"{_ALPHA}/ticker"): calls_public.ticker,
    ("GET", f"{_ALPHA}/agg-trades"): calls_public.agg_trades,
    ("GET", f"{_ALPHA}/klines"): calls_public.klines,
    ("GET", f"{_ALPHA}/agg-klines"): calls_public.agg_klines,
    ("GET", f"{_ALPHA}/fullDepth"): calls_public.full_depth,
    ("GET", f"{_ALPHA}/get-fee-rate"): calls_public.fee_rate,
    (
        "POST",
        "/bapi/defi/v1/public/wallet-direct/security/token/audit",
    ): calls_public.token_audit,
    ("POST", "/bapi/accounts/v1/public/authcenter/auth"): calls_account.authenticate,
    ("GET", f"{_WALLET}/cloud-wallet/alpha"): calls_account.alpha_wallet,
    ("POST", f"{_ASSETS_3}/asset/get-wallet-asset"): calls_account.wallets_by_asset,
    ("GET", f"{_ASSETS}/balance"): calls_account.wallets_by_account,
    ("GET", f"{_ASSETS}/asset"): calls_account.totals_by_asset,
    ("GET", f"{_ASSETS_3}/wallet/asset-detail"): calls_account.asset_detail,
    ("GET", "/bapi/c2c/v1/private/c2c/asset/balance"): calls_account.funding_only,
    ("GET", f"{_WALLET}/swap/terms-agreement"): calls_account.terms_accepted,
    ("POST", "/bapi/apex/v1/private/apex/alpha/pnl/avg-cost"): calls_account.average_cost,
    ("GET", f"{_WALLET}/buw/wallet/today/user-volume"): calls_account.day_volume,
    ("GET", f"{_WALLET}/buw/tge/common/user-score"): calls_account.user_score,
    ("GET", "/bapi/accounts/v1/private/account/get-user-base-info"): calls_account.base_info,
    ("POST", "/bapi/accounts/v1/private/account/user/base-detail"): calls_account.base_detail,
    # 2025 and mobile clients placed under /bapi/defi (PROTOCOL §7.2).
    ("POST", f"{_PLACE}/order/place"): calls_orders.place,
    ("POST", f"{_TRADE}/order/place"): calls_orders.place,
    ("POST", f"{_PLACE}/oto-order/place"): calls_orders.place_oto,
    ("POST", f"{_TRADE}/oto-order/place"): calls_orders.place_oto,
    ("POST", f"{_TRADE}/order/cancel"): calls_orders.cancel,
    ("POST", f"{_PLACE}/order/cancel"): calls_orders.cancel,
    ("POST", f"{_TRADE}/order/cancel-all"): calls_orders.cancel_all,
    ("GET", f"{_TRADE}/order/get-open-order"): calls_orders.open_orders,
    ("GET", f"{_TRADE}/order/get-order-history-merge"): calls_orders.history,
    ("GET", f"{_TRADE}/order/get-order-history-web"): calls_orders.history,
    ("GET", f"{_TRADE}/order/get-user-trades"): calls_orders.user_trades,
    ("POST", f"{_TRADE}/get-listen-key"): calls_orders.listen_key,
    ("PUT", f"{_TRADE}/get-listen-key"): calls_orders.listen_key,
    ("PUT", f"{_TRADE}/userDataStream"): calls_orders.listen_key,
    ("POST", f"{_TRADE}/stream/get-listen-key"): calls_orders.listen_key,
}
_PLACEMENTS = frozenset({calls_orders.place, calls_orders.place_oto})


@dataclass(frozen=True, slots=True)
class Request:
    """One request after its body was read."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes


class Bapi:
    """The exchange's `/bapi` as ASGI."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's Mount moves the prefix into root_path; `path` stays whole.
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        try:
            body = await _read(receive)
        except ClientDisconnect:
            return
        if body is None:
            await web_page(413)(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        request = Request(scope["method"], scope["path"], query, Headers(scope=scope), body)
        response = await self._respond(request)
        if response is None:
            wire_of(scope).cut()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response | None:
        """Answer a request; None is an answer that gets lost."""
        endpoint = ROUTES.get((request.method, request.path))
        if endpoint is None:
            return web_page(404)
        simulation = self._simulation
        simulation.catch_up()
        exchange = simulation.exchange
        caller = self._caller(request)
        name = endpoint.__name__
        user = caller.name if caller else ""
        if endpoint in _PLACEMENTS:
            symbol = _symbol_in(request.body)
            # When it came, even if the markets have not caught up with that.
            at_ms = exchange.now_ms + simulation.behind_ms
            exchange.posts.append(Post(at_ms, name, user, symbol))
        fault = exchange.faults.strike(REST_FAULTS, name, user, exchange.now_ms)
        if fault is not None:
            if fault.kind is FaultKind.ANSWER_LOST_BEFORE:
                return LOST
            if early := before_effect(fault):
                return early
        answered = self._answer(request, endpoint, caller)
        if fault is not None and request.method != "GET":
            # What the client may never learn: the code, and the ids of what was placed.
            outcome = {key: answered.content.get(key) for key in ("code", "data")}
            exchange.faults.add_detail(fault, msgspec.json.encode(outcome).decode())
        simulation.catch_up()
        return answered if fault is None else await after_effect(fault, answered)

    def _caller(self, request: Request) -> Account | None:
        token = _cookies_of(request.headers).get("p20t", "")
        return self._simulation.exchange.accounts.get(token)

    def _answer(self, request: Request, endpoint: Endpoint, caller: Account | None) -> "JsonAnswer":
        simulation = self._simulation
        try:
            if "/private/" in request.path:
                _check_session(caller, request.headers)
            body = read_json(request.body)
            call = Call(simulation.exchange, simulation.trading, request.query, body, caller)
            return JsonAnswer(_success(endpoint(call)))
        except Refusal as refusal:
            return JsonAnswer(refused(refusal.code, refusal.message))


async def _read(receive: Receive) -> bytes | None:
    """Read a request's body; None if it is larger than any request of a client.

    Raises:
        ClientDisconnect: half a request must have no effect.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size <= _MOST_BODY_BYTES:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= _MOST_BODY_BYTES else None


def _cookies_of(headers: Headers) -> dict[str, str]:
    parts = headers.get("cookie", "").split(";")
    return dict(part.strip().partition("=")[::2] for part in parts)


def _check_session(caller: Account | None, headers: Headers) -> None:
    if headers.get("clienttype", "") == "" or headers.get("csrftoken", "") == "":
        raise Refusal(Code.NOT_LOGGED_IN)
    if caller is None or not caller.session_live or headers["csrftoken"] != caller.csrf_token:
        raise Refusal(Code.SESSION_EXPIRED)
    if _cookies_of(headers).get("cr00", caller.csrf_seed) != caller.csrf_seed:
        raise Refusal(Code.SESSION_EXPIRED)


def _symbol_in(raw: bytes) -> str:
    try:
        body = read_json(raw)
        return f"{body['baseAsset']}{body['quoteAsset']}"
    except (Refusal, KeyError, TypeError):
        return ""


def _success(answer: Answer) -> dict[str, Any]:
    content: dict[str, Any] = {"code": "000000", "message": None, "messageDetail": None}
    content |= {"data": answer.data, "success": True}
    return content if answer.total is None else content | {"total": answer.total}
