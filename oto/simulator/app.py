"""The simulator as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from oto.simulator import control
from oto.simulator.hub import Connection
from oto.simulator.rest import Bapi
from oto.simulator.simulation import Simulation
from oto.simulator.wire_extension import wire_of

MARKET_STREAM_PATH = "/w3w/wsa/stream"
USER_STREAM_PATH = "/w3w/stream"


def create_app(simulation: Simulation) -> Starlette:
    """Return the exchange's REST and WebSocket surface, and the control surface beside it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        clock = asyncio.create_task(_run_clock(simulation))
        yield
        clock.cancel()
        with suppress(asyncio.CancelledError):
            await clock

    async def market_stream(websocket: WebSocket) -> None:
        await _serve(simulation, websocket, private=False)

    async def user_stream(websocket: WebSocket) -> None:
        await _serve(simulation, websocket, private=True)

    return Starlette(
        routes=[
            Mount("/bapi", app=Bapi(simulation)),
            WebSocketRoute(MARKET_STREAM_PATH, market_stream),
            WebSocketRoute(USER_STREAM_PATH, user_stream),
            *control.routes(simulation),
        ],
        lifespan=lifespan,
    )


async def _run_clock(simulation: Simulation) -> None:
    while not simulation.stepped:
        simulation.catch_up()
        await asyncio.sleep(simulation.sleep_s)


async def _serve(simulation: Simulation, websocket: WebSocket, *, private: bool) -> None:
    try:
        await websocket.accept()
    except WebSocketDisconnect:  # gone before it was served
        return
    wire = wire_of(websocket.scope)
    connection = Connection(private, wire.cut, wire.fall_silent)
    simulation.hub.join(connection)
    writer = asyncio.create_task(_write(websocket, connection))
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                text = message.get("bytes", b"").decode(errors="replace")
            simulation.catch_up()
            simulation.hub.command(connection, text)
    finally:
        simulation.hub.leave(connection)
        writer.cancel()


async def _write(websocket: WebSocket, connection: Connection) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the reader sees the end and cleans up
        while (frame := await connection.frames.get()) is not None:
            await websocket.send_text(frame)
        await websocket.close(1001)
