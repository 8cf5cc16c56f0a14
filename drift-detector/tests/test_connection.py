"""What a sender may do to its connection, on a real socket."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from leeway_drift.service.connection import HEAD_BYTES, Connection
from tests.watching import Clock, serving

PATIENCE = 30


class Impatient(Connection):
    """Does not let a test wait."""

    head_seconds = 0.01


def answer_to(*pieces: bytes, protocol: type[Connection] = Connection) -> bytes:
    """What comes back until the service closes the connection."""
    with TemporaryDirectory() as directory, serving(Path(directory), Clock()) as (service, _):
        return exchange(uvicorn.Config(service.app, lifespan="off", ws="none", log_config=None), pieces, protocol)


def exchange(config: uvicorn.Config, pieces: Sequence[bytes], protocol: type[Connection]) -> bytes:
    config.load()

    async def talk() -> bytes:
        loop = asyncio.get_running_loop()
        state = ServerState()
        server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with asyncio.timeout(PATIENCE), server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)  # piece by piece, as a network brings them
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            while state.connections:  # noqa: ASYNC110 - the service runs in the same loop
                await asyncio.sleep(0)
        return answer

    return uvloop.run(talk())


@pytest.mark.parametrize(
    ("pieces", "protocol", "status", "message"),
    [
        ([b"\x16\x03\x01\r\n\r\n"], Connection, 400, "request: cannot be read, expected HTTP/1.1"),
        (
            [b"POST / HTTP/1.1\r\nx: ", *2 * [b"a" * (HEAD_BYTES // 2 + 1)]],
            Connection,
            431,
            f"head: over the limit of {HEAD_BYTES} bytes",
        ),
        ([b"POST / HTTP/1.1\r\nx: "], Impatient, 408, "head: not whole after 0.01 s"),
    ],
)
def test_a_head_has_an_end_and_its_errors_the_one_shape(
    pieces: list[bytes], protocol: type[Connection], status: int, message: str
):
    head, _, body = answer_to(*pieces, protocol=protocol).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body) == {"error": message}


def test_a_head_in_time_is_answered():
    answer = answer_to(b"GET /x HTTP/1.1\r\n", b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")
