"""A model that does to its answers what a faulty version would."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from leeway_faulty.fault import Fault
from leeway_serving.model import Model
from leeway_serving.signature import Tensors

_REMEMBERED = 64


class FaultError(RuntimeError):
    """The fault that was asked for; the server answers 500."""


class FaultyModel(Model):
    """A loaded graph with a fault around it: the server counts, times and reports it as its own.

    A delay holds the event loop, as a slow model does: requests that wait for it are late, too.
    """

    def __init__(self, model: Model, fault: Fault, *, random: Random, sleep: Callable[[float], None]) -> None:
        """Wraps `model`, which has passed every check of the server.

        Args:
            model: the graph.
            fault: what goes wrong.
            random: decides which requests it hits.
            sleep: waits for seconds.

        Raises:
            ValueError: labels are to be flipped, and the graph has no output `probabilities`.
        """
        self.signature = model.signature
        if fault.flipped and "probabilities" not in model.signature.output_names:
            raise ValueError("FAULT labels=flipped: the model has no output 'probabilities'")
        self._model, self._fault, self._random, self._sleep = model, fault, random, sleep
        self._seen: dict[str, deque[np.ndarray]] = {}

    def predict(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors:
        """Runs the graph on what the fault makes of `tensors`, and returns what it makes of the answer."""
        if self._random.random() < self._fault.errors:
            raise FaultError("a fault was asked for")
        if self._random.random() < self._fault.slow:
            self._sleep(self._fault.delay)
        answers = self._model.predict(self._shuffled(tensors) if self._fault.shuffled else tensors, outputs)
        return self._flipped(answers) if self._fault.flipped else answers

    def _shuffled(self, tensors: Tensors) -> Tensors:
        mixed = {}
        for name, tensor in tensors.items():
            seen = self._seen.setdefault(name, deque(maxlen=_REMEMBERED))
            rows = []
            for row in tensor:
                seen.append(row)
                rows.append(self._random.choice(seen))
            mixed[name] = np.array(rows, dtype=tensor.dtype).reshape(tensor.shape)
        return mixed

    def _flipped(self, answers: Tensors) -> Tensors:
        flipped = dict(answers)
        if "probabilities" in answers:
            flipped["probabilities"] = np.ascontiguousarray(answers["probabilities"][:, ::-1])
        if "label" in answers:
            classes = next(output.shape[-1] for output in self.signature.outputs if output.name == "probabilities")
            flipped["label"] = classes - 1 - answers["label"]
        return flipped
