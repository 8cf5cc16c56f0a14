"""More events than a drift detector can take: python flood.py ADDRESS VERSION SECONDS BATCHES_A_SECOND.

They come in batches, as Leeway's server sends them. Run with the least priority: whoever asks the model for predictions
shall not have to share the machine's cores with it. Prints what it sent, as JSON.
"""

import http.client
import json
import sys
import threading
import time
from datetime import UTC, datetime

BATCH = 1000
_NUMBER, _TIME = b"<number>", b"<time>"  # where a batch's own go
_CONNECTIONS = 4
_TIMEOUT_SECONDS = 60
_HEADERS = {"content-type": "application/cloudevents-batch+json"}


def _event(index: int, version: str) -> dict[str, object]:
    tensors = [
        {"name": f"number_{column}", "datatype": "FP32", "shape": [1, 1], "data": [index + column]}
        for column in range(6)
    ]
    return {
        "specversion": "1.0",
        "id": f"{version}-{_NUMBER.decode()}-{index}",
        "source": "/leeway/flood-a",
        "type": "org.kubeflow.serving.inference.request",
        "time": _TIME.decode(),
        "inferenceservicename": "flood-a",
        "namespace": "leeway",
        "endpoint": version,
        "metadata": "{}",
        "status": "200",
        "data": {"inputs": tensors},
    }


class Flood:
    """Batches sent at most at a rate, from some connections at once.

    Args:
        address: of the sink.
        version: that the events name.
        rate: batches a second.
        seconds: for which it goes on.
    """

    def __init__(self, address: str, version: str, *, rate: float, seconds: float) -> None:
        self._address = address
        self._body = json.dumps([_event(index, version) for index in range(BATCH)]).encode()
        self._rate = rate
        self._begin = time.monotonic()
        self._end = self._begin + seconds
        self._lock = threading.Lock()
        self._sent = 0
        self.statuses: dict[int, int] = {}

    def run(self) -> None:
        """Return when the time is over and every batch has its answer."""
        threads = [threading.Thread(target=self._send) for _ in range(_CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT_SECONDS)
        while time.monotonic() < self._end:
            with self._lock:
                number, self._sent = self._sent, self._sent + 1
            time.sleep(max(0.0, self._begin + number / self._rate - time.monotonic()))  # the rate
            body = self._body.replace(_NUMBER, b"%d" % number).replace(_TIME, datetime.now(UTC).isoformat().encode())
            connection.request("POST", "/", body, _HEADERS)
            answer = connection.getresponse()
            answer.read()
            with self._lock:
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        connection.close()


if __name__ == "__main__":
    flood = Flood(sys.argv[1], sys.argv[2], seconds=float(sys.argv[3]), rate=float(sys.argv[4]))
    flood.run()
    json.dump({"batches": flood.statuses, "events_per_batch": BATCH}, sys.stdout)
