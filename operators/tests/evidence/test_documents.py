"""Documents that are no experiment: a status edited by hand must be told apart from evidence."""

import copy
import json
import math
from typing import Any

import pytest

from leeway_operators.evidence.experiment import Experiment, UnreadableError
from tests.evidence.rollouts import arm, counted, detected, experiment


def written() -> dict[str, Any]:
    known = experiment().with_counters(counted((100.0, 900.0), (1.0, 9.0), weight=0.1))
    document: dict[str, Any] = json.loads(json.dumps(known.with_detector(detected(arm(100), arm(900))).document()))
    return document


def changed(path: str, value: object) -> dict[str, Any]:
    """A document with one field of another value; a field is left out where the value is `...`."""
    document = copy.deepcopy(written())
    *parents, last = path.split(".")
    at: Any = document
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("settings", ..., r"^experiment: expected the fields .*missing or unknown: \['settings'\]$"),
        ("more", 1, r"^experiment: expected the fields .*missing or unknown: \['more'\]$"),
        ("settings.alphaRollback", "1%", r"^experiment\.settings\.alphaRollback: expected a number, found str$"),
        ("settings.alphaPromote", 1.5, r"^experiment\.settings: alpha\.promote: expected a chance between 0 and 1"),
        (
            "settings.gates.errors.required",
            1,
            r"^experiment\.settings\.gates\.errors\.required: expected true or false$",
        ),
        ("settings.gates.errors.margin", None, r"^experiment\.settings\.gates\.errors\.margin: expected a number"),
        ("settings.gates.latency.margin", -1, r"^experiment\.settings: gates\.latency\.margin: expected 0 to"),
        ("settings.gates.latency", ..., r"^experiment\.shares: expected the fields"),
        ("shares.errors", [], r"^experiment\.shares\.errors: expected a mapping, found list$"),
        ("shares.errors.worse.wealth", [0, 0], r"^experiment\.shares\.errors\.worse\.wealth: expected 6 items$"),
        ("shares.errors.worse.wealth.3", None, r"wealth\[3\]: expected a number, found NoneType$"),
        ("shares.errors.worse.wealth.3", True, r"wealth\[3\]: expected a number, found bool$"),
        ("shares.errors.worse.wealth.3", math.nan, r"wealth\[3\]: expected a number from .* found nan$"),
        ("shares.errors.worse.wealth.3", math.inf, r"wealth\[3\]: expected a number from .* found inf$"),
        ("shares.errors.candidate_n", -1, r"candidate_n: expected a number from 0 to"),
        ("shares.errors.stable.n", 0, r"stable\.n: expected a number from 1 to"),
        ("predictions", None, r"^experiment\.predictions: expected a mapping$"),
        ("predictions.outputs.probability.mean.difference.beyond.wealth", [[0] * 6] * 3, r"expected one side or two$"),
        ("balance.features.delay.counts", [[1, 2], [1]], r"counts: expected lists of equal length$"),
        ("balance.features.delay.counts", [[1, 2]], r"counts: expected 2 items$"),
        ("balance.features.delay.counts", [[], []], r"counts\[0\]: expected 1 to 8 items$"),
        ("balance.features", {str(index): {} for index in range(21)}, r"expected at most 20 names, found 21$"),
        ("losses", "none", r"^experiment\.losses: expected a mapping, found str$"),
    ],
)
def test_the_field_that_is_wrong_is_named(path: str, value: object, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        Experiment.of_document(changed(path, value))


def test_gates_that_are_not_watched_have_no_state() -> None:
    document = written()
    del document["settings"]["gates"]["labels"]
    with pytest.raises(UnreadableError, match=r"^experiment\.losses: expected nothing$"):
        Experiment.of_document(document)


@pytest.mark.parametrize("document", [None, [], "experiment", 1])
def test_what_is_no_mapping_is_no_experiment(document: Any) -> None:
    with pytest.raises(UnreadableError, match=r"^experiment: expected a mapping"):
        Experiment.of_document(document)


def test_whole_numbers_and_those_with_a_fraction_are_both_numbers() -> None:
    """JSON of a Kubernetes API server has no .0."""
    assert Experiment.of_document(changed("shares.errors.candidate_n", 7)).shares["errors"].candidate_n == 7.0
