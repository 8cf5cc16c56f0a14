"""How other threads have something done, or answered, by the one that owns the state."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ANSWERED_WITHIN = 5.0

Answer = TypeVar("Answer")


class Busy(Exception):  # noqa: N818 - it says what is the case
    """The engine has not answered in time; the message says what to do."""


class Inbox:
    """Messages for a thread.

    Args:
        wake: tells it that there is one.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._messages: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = wake

    def tell(self, message: Callable[[], None]) -> None:
        """Have something done, some time soon."""
        self._messages.put(message)
        self._wake()

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Have something answered.

        Raises:
            Busy: it was not answered in time.
        """
        future: Future[Answer] = Future()

        def answer() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(question())
                except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                    future.set_exception(error)

        self.tell(answer)
        try:
            return future.result(ANSWERED_WITHIN)
        except TimeoutError:
            future.cancel()
            raise Busy(f"the engine is busy and did not answer within {ANSWERED_WITHIN:g} s; try again") from None

    def listen(self) -> None:
        """Do what is asked for; by the thread that owns the state."""
        for _ in range(self._messages.qsize()):  # and no more: whoever asks again and again must not hold it up
            self._messages.get_nowait()()
