"""Wake-ups and reports between processes: lost, doubled, late, overtaken."""

from collections.abc import Callable
from dataclasses import dataclass, field

from oto.application.ports import Wake
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.frames import Method, Push, command_text, parse_frame
from oto.simulator.hub import Connection, Hub
from tests.drill import faults
from tests.drill.agenda import Agenda
from tests.drill.faults import Chance, Fault
from tests.drill.story import Story

_WAKE_PER_MILLE, _REPORT_PER_MILLE = 120, 250


@dataclass(slots=True)
class Wakes:
    """The port `Dispatcher`; `take` is what a worker does with a wake-up."""

    agenda: Agenda
    chance: Chance
    story: Story
    take: Callable[[Wake], None]
    _old: list[Wake] = field(default_factory=list)

    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        fault = self.chance.of(faults.WAKE, _WAKE_PER_MILLE)
        if fault is not None:
            self.story.strike(fault)
        self._old.append(wake)
        if fault is Fault.WAKE_LOST:
            return
        late_ms = self.chance.ms(1_000, 8_000) if fault is Fault.WAKE_DELAYED else 2
        self._send(wake, int(delay_s * 1000) + late_ms)
        if fault is Fault.WAKE_DOUBLED:
            self._send(wake, int(delay_s * 1000) + self.chance.ms(0, 3_000))
        if fault is Fault.WAKE_STALE:
            self._send(self.chance.random.choice(self._old), self.chance.ms(0, 1_000))

    def _send(self, wake: Wake, in_ms: int) -> None:
        self.agenda.after(in_ms, lambda: self.take(wake))


class Stream:
    """A user stream without a socket: the simulator's frames, through the adapter's parser."""

    def __init__(self, hub: Hub, agenda: Agenda, chance: Chance, story: Story) -> None:
        self._hub = hub
        self._connection = Connection(private=True, cut=_never, fall_silent=_never)
        self._agenda = agenda
        self._chance = chance
        self._story = story
        self._deaf_until_ms = 0
        self.deliver: Callable[[ExecutionReport], None] = lambda _: None
        self.reconnected: Callable[[], None] = _never
        self.spared: Callable[[ExecutionReport], bool] = lambda _: False
        hub.join(self._connection)

    def subscribe(self, listen_key: str) -> None:
        text = command_text(Method.SUBSCRIBE, 1, [f"alpha@{listen_key}"])
        self._hub.command(self._connection, text)

    def drain(self) -> None:
        """Take every frame that the simulator has pushed, and decide its fate."""
        frames = self._connection.frames
        while not frames.empty():
            frame = parse_frame(frames.get_nowait() or "")
            if isinstance(frame, Push):
                for report in frame.values:
                    assert isinstance(report, ExecutionReport)
                    self._send(report)

    def _send(self, report: ExecutionReport) -> None:
        if self.spared(report):
            self._in(0, report)
            return
        fault = self._chance.of(faults.REPORT, _REPORT_PER_MILLE)
        if fault is not None:
            self._story.strike(fault, f"{report.side.value} {report.status.value}")
        if fault is Fault.STREAM_CUT:
            self._cut()
        if fault is Fault.REPORT_LOST or self._agenda.now_ms < self._deaf_until_ms:
            return
        late = fault is Fault.REPORT_DELAYED
        self._in(self._chance.ms(200, 5_000) if late else self._chance.ms(1, 3), report)
        if fault is Fault.REPORT_DOUBLED:
            self._in(self._chance.ms(0, 6_000), report)

    def _in(self, ms: int, report: ExecutionReport) -> None:
        self._agenda.after(ms, lambda: self.deliver(report))

    def _cut(self) -> None:
        out_ms = self._chance.ms(500, 8_000)
        self._deaf_until_ms = self._agenda.now_ms + out_ms
        self._agenda.after(out_ms, self.reconnected)


def _never() -> None: ...
