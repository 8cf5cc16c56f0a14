"""What a client may do to its connection, byte by byte, on a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from leeway_serving.connection import HEAD_BYTES, PIPELINED, Connection

BODY = b'{"rows":[{"delay":20.5,"wind":null,"carrier":"B6"}]}'
WHOLE = b"POST /api/v1/predict HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = b"POST /api/v1/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
PATIENCE = 30
Server = Any
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


class Impatient(Connection):
    """Does not let a test wait."""

    head_seconds = 0.01


def talk(server: Server, client: Client, protocol: type[Connection] = Connection) -> bytes:
    """What `client` returns, who has a connection to `server`; the next client is served."""
    config = uvicorn.Config(server.app, lifespan="off", ws="none", log_config=None)
    config.load()
    state = ServerState()

    async def connect(to: tuple[str, int], then: Client) -> bytes:
        reader, writer = await asyncio.open_connection(*to)
        answer = await then(reader, writer)
        writer.close()
        with suppress(ConnectionResetError):  # the server may have hung up on it
            await writer.wait_closed()
        return answer

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with asyncio.timeout(PATIENCE), listening:
            address = listening.sockets[0].getsockname()
            answer = await connect(address, client)
            assert (await connect(address, ask)).startswith(b"HTTP/1.1 200 OK")
            for connection in state.connections:
                connection.transport.abort()
            while state.connections:  # noqa: ASYNC110 - the server runs in the same loop
                await asyncio.sleep(0)
        return answer

    return uvloop.run(run())


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """A client with a good request."""
    writer.write(WHOLE)
    return await reader.readline()


def send(data: bytes) -> Client:
    """Sends `data` and reads until the server closes the connection."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(data)
        return await reader.read()

    return client


def error(answer: bytes) -> tuple[int, str]:
    """Status and message of the last answer."""
    head, _, body = answer[answer.rindex(b"HTTP/1.1 4") :].partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    return int(head.split()[1]), json.loads(body)["error"]


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\r\n\r\n", b"GET /v2 HTTP/9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", CHUNKED + b"x\r\n"],
)
def test_what_is_no_http_gets_an_error_of_the_one_shape(server: Server, data: bytes) -> None:
    assert error(talk(server, send(data))) == (400, "what was sent cannot be read; requests of HTTP/1.1 were expected")


@pytest.mark.parametrize("start", [b"GET /", b"GET /v2 HTTP/1.1\r\nx: ", CHUNKED + b"0\r\nx: ", CHUNKED + b"1;"])
def test_what_is_no_body_has_an_end(server: Server, start: bytes) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for piece in (start, *2 * [b"a" * (HEAD_BYTES // 2 + 1)]):  # one by one, as a network brings them
            writer.write(piece)
            await asyncio.sleep(0.01)
        return await reader.read()

    assert error(talk(server, client)) == (431, f"a head of more than {HEAD_BYTES} bytes was sent")


def test_a_body_in_many_small_pieces_is_read(server: Server) -> None:
    padding = b" " * (HEAD_BYTES // 4)
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in padding + BODY)
    assert len(pieces) > HEAD_BYTES
    close = CHUNKED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert talk(server, send(close + pieces + b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


def test_a_head_that_never_ends_is_given_up(server: Server) -> None:
    answer = talk(server, send(b"GET /v2 HTTP/1.1\r\nx: "), Impatient)
    assert error(answer) == (408, "the head of a request did not arrive within 0.01 s")


def test_a_head_in_time_is_not_given_up_later(server: Server) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(WHOLE[:-1])
        await asyncio.sleep(5 * Impatient.head_seconds)
        writer.write(WHOLE[-1:])
        return await reader.readline()

    assert talk(server, client, Impatient).startswith(b"HTTP/1.1 200 OK")


def test_requests_that_do_not_wait_for_their_answers_have_an_end(server: Server) -> None:
    few, many = (b"GET /v2 HTTP/1.1\r\n\r\n" * number for number in (PIPELINED, 10 * PIPELINED))
    assert talk(server, send(few + b"x\r\n")).count(b"HTTP/1.1 ") <= 1 + PIPELINED
    assert error(talk(server, send(many)))[0] == 400


def test_a_client_that_has_said_all_gets_its_answer(server: Server) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(WHOLE)
        writer.write_eof()
        return await reader.read()

    assert talk(server, client).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_stops_in_the_middle_of_a_body_is_gone(server: Server) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(WHOLE[:-1])
        writer.write_eof()
        return await reader.read()

    assert talk(server, client) == b""
    assert server.admission.in_flight == 0
