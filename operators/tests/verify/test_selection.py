"""An object that no Prometheus and no Alertmanager selects has no effect, and that is a gap."""

import pytest

from leeway_operators.verify.core.selection import check, matches
from tests.verify.world import Manifest, manifest, prometheus

NAMESPACES = {"models": {"team": "flights"}}


def verdict(found: Manifest, *selecting: Manifest) -> str:
    kinds = {kind: [one for one in selecting if one["kind"] == kind] for kind in ("Prometheus", "Alertmanager")}
    (finding,) = check([found], kinds, NAMESPACES)
    return finding.verdict


@pytest.mark.parametrize(
    ("selector", "namespaces", "expected"),
    [
        ({}, {}, "found"),
        ({"matchLabels": {"release": "prometheus"}}, {"matchLabels": {"team": "flights"}}, "found"),
        ({"matchLabels": {"release": "other"}}, {}, "missing"),
        ({}, {"matchLabels": {"team": "other"}}, "missing"),
        ({}, None, "missing"),  # no namespace selector is the Prometheus' own namespace
        (None, {}, "missing"),  # no selector is nothing
    ],
)
def test_labels_and_namespace_have_to_be_selected(
    selector: Manifest | None, namespaces: Manifest | None, expected: str
) -> None:
    assert verdict(manifest("PodMonitor", "leeway-models"), prometheus(selector, namespaces)) == expected


def test_one_of_several_is_enough_and_the_kind_has_to_be_the_right_one() -> None:
    monitor = manifest("PodMonitor", "leeway-models")
    assert verdict(monitor, prometheus({"matchLabels": {"a": "b"}}, {}), prometheus({}, {})) == "found"
    assert verdict(monitor, prometheus({}, {}, of="rule")) == "missing"
    config = manifest("AlertmanagerConfig", "leeway")
    assert verdict(config, prometheus({}, {}, kind="Alertmanager", of="alertmanagerConfig")) == "found"


def test_a_gap_says_what_was_wanted_and_that_there_may_be_nobody_to_want() -> None:
    chosen = prometheus({"matchLabels": {"release": "other"}}, {})
    (finding,) = check([manifest("PodMonitor", "leeway-models")], {"Prometheus": [chosen]}, NAMESPACES)
    assert "'release': 'other'" in finding.why
    assert "monitoring.labels" in finding.next
    (finding,) = check([manifest("PodMonitor", "leeway-models")], {}, NAMESPACES)
    assert finding.why == "there is no Prometheus object in the cluster"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, True),
        ({"key": "a", "operator": "In", "values": ["2"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "a", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_are_those_of_kubernetes(expression: Manifest, *, expected: bool) -> None:
    assert matches({"matchExpressions": [expression]}, {"a": "1"}) is expected


def test_an_operator_that_kubernetes_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="'Is'"):
        matches({"matchExpressions": [{"key": "a", "operator": "Is"}]}, {})
