"""Both sources of evidence, asked side by side."""

from concurrent.futures import ThreadPoolExecutor

from leeway_operators.core.evidence import Evidence, Question
from leeway_operators.core.model import Rollout
from leeway_operators.core.seen import Seen
from leeway_operators.shell.detector import Detector
from leeway_operators.shell.prometheus import Prometheus


class Sources:
    """What a look asks. Threads may share it; each source ends by its own deadline."""

    def __init__(self, prometheus: Prometheus, detector: Detector, at_once: int) -> None:
        """`at_once` looks are expected at the same time."""
        self._prometheus = prometheus
        self._detector = detector
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="detector")

    def __call__(self, rollout: Rollout, question: Question, seen: Seen) -> Evidence:
        """What both say now."""
        detector = self._pool.submit(self._detector.read, rollout, question)
        counters = self._prometheus.read(rollout, question, seen)
        return Evidence(counters=counters, detector=detector.result())
