"""Reports of the user streams: written at their event, emitted when their delay is over."""

from oto.domain.orders import ExecutionType
from oto.simulator.accounts import Account
from oto.simulator.exchange import Exchange, Reported
from oto.simulator.orders import FillRow, Order
from oto.simulator.wire_orders import execution_report


class Reporter:
    """Emits the reports of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._last_emitted_ms: dict[str, int] = {}

    def report(self, order: Order, kind: ExecutionType, fill: FillRow | None = None) -> None:
        exchange = self._exchange
        event_id = exchange.next_event_id() if fill is None else fill.page_id
        report = execution_report(order, kind, fill, event_id, exchange.now_ms)
        name = order.account.name
        fate = exchange.faults.fate_of_report(name, exchange.now_ms)
        wanted_ms = exchange.now_ms + exchange.settings.next_report_delay()
        if fate.in_order:
            wanted_ms += sum(fate.delays_ms)
        # Reports leave in their order, unless a fault holds one of them back.
        due_ms = max(wanted_ms, self._last_emitted_ms.get(name, 0))
        self._last_emitted_ms[name] = due_ms
        for delay_ms in fate.delays_ms:
            self._emit_later(order.account, report, due_ms + (0 if fate.in_order else delay_ms))

    def _emit_later(self, account: Account, report: dict[str, object], due_ms: int) -> None:
        def emit() -> None:
            self._exchange.emit(Reported(account, report | {"E": self._exchange.now_ms}))

        if due_ms <= self._exchange.now_ms:
            emit()
        else:
            self._exchange.at(due_ms, emit)
