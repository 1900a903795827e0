"""Answers of the REST surface, and what faults make of them."""

import asyncio
from typing import Any

import msgspec
from starlette.responses import Response

from oto.simulator.faults import Fault, FaultKind
from oto.simulator.refusals import Code

_HTML = "<html><head><title>ERROR: The request could not be satisfied</title></head></html>"


class JsonAnswer(Response):
    """A JSON answer whose content can still be bent by a fault."""

    media_type = "application/json"

    def __init__(self, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.content = content
        super().__init__(content, headers=headers)

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - Starlette's own signature
        return msgspec.json.encode(content)


LOST = None


def before_effect(fault: Fault) -> Response | None:
    """Return the answer of a fault that keeps the request from taking effect, if it is one."""
    early: Response | None = None
    match fault.kind:
        case FaultKind.SERVER_ERROR if not fault.after:
            early = web_page(fault.status)
        case FaultKind.RATE_LIMITED:
            wait = {"retry-after": str(fault.retry_after_s)}
            early = Response("", 429, wait, media_type="text/plain")
        case FaultKind.FIREWALL:
            early = web_page(403)
        case FaultKind.CHALLENGE:
            headers = {"risk_challenge_biz_no": f"{fault.fault_id:032x}"}
            headers["risk_challenge_enable_flow"] = "true"
            early = JsonAnswer(refused(*Code.MFA_OPEN.value), headers)
        case FaultKind.SESSION_EXPIRED:
            early = JsonAnswer(refused(*Code.SESSION_EXPIRED.value))
        case FaultKind.UNKNOWN_CODE:
            early = JsonAnswer(refused(fault.code, "A code that nobody has seen"))
        case _:
            pass
    return early


async def after_effect(fault: Fault, answered: JsonAnswer) -> Response | None:
    """Return what a fault makes of the answer of a request that took effect; None is lost."""
    changed: Response | None = answered
    match fault.kind:
        case FaultKind.ANSWER_LOST_AFTER:
            changed = LOST
        case FaultKind.LATE_ANSWER:
            await asyncio.sleep(fault.delay_ms / 1000)
        case FaultKind.SERVER_ERROR:
            changed = web_page(fault.status)
        case FaultKind.NOT_JSON:
            changed = web_page(200)
        case FaultKind.EXTRA_FIELDS:
            changed = JsonAnswer(_with_extra(answered.content))
        case FaultKind.MISSING_FIELDS:
            changed = JsonAnswer(_with_missing(answered.content))
        case _:
            pass
    return changed


def web_page(status: int) -> Response:
    return Response(_HTML, status, media_type="text/html")


def refused(code: str, message: str) -> dict[str, Any]:
    if code == Code.SESSION_EXPIRED.value[0]:  # captured: no data, no messageDetail
        return {"code": code, "message": message, "success": False}
    content: dict[str, Any] = {"code": code, "message": message, "messageDetail": None}
    return content | {"data": None, "success": False}


def _with_extra(content: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(content, dict):
        kept = {key: _with_extra(value) for key, value in content.items()}
        return kept | {"addedLater": {"nobody": ["has", "seen"]}}
    return [_with_extra(one) for one in content] if isinstance(content, list) else content


_ESSENTIAL = frozenset(
    {
        *("orderId", "workingOrderId", "symbol", "alphaId", "tickSize", "buyerCommission"),
        *("free", "funding", "list", "totalVolume", "sumScore", "lastUpdateId", "p", "qty"),
    }
)


def _with_missing(content: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(content.get("data"), dict | list):
        return {key: value for key, value in content.items() if key != "data"}
    return content | {"data": _without(content["data"])}


def _without(content: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(content, dict):
        return {key: _without(value) for key, value in content.items() if key not in _ESSENTIAL}
    return [_without(one) for one in content] if isinstance(content, list) else content
