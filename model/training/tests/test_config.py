"""A configuration that cannot be meant is refused, and the error names the key."""

from pathlib import Path

import pytest

from leeway_training.configfile import parse_config, read_config
from leeway_training.errors import Refused

from .world import CONFIG

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_examples_are_valid(path: Path):
    assert read_config(path).model.name == path.stem


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("model.nmae=x", "model.nmae"),
        ("model.name=Not A Name", "model.name"),
        ("model.version=1.10", "quotes"),
        ("model.estimator=oracle", "model.estimator"),
        ("model.candidates=[{estimator: ridge}, {estimator: ridge}]", "exactly one of estimator and candidates"),
        ("model.estimator=null", "exactly one of estimator and candidates"),
        ("time=null", "need split.random, said on purpose"),
        ("split={random: {seed: 1}}", "would let the future leak"),
        ("split=null", "split"),
        ("profile.context=[hour]", "profile.context: hour is no feature"),
        ("profile.limits={hour: {missing_ratio: 0.1}}", "profile.limits: hour is no feature"),
        ("profile.limits={wind: {missing_ratio: 1.5}}", "profile.limits.wind.missing_ratio"),
        ("features=[{name: label, kind: numeric}]", "is what an output is called"),
        ("model.estimator=ridge", "ridge cannot do binary_classification"),
        ("data.table={path: rows.xlsx}", "data.table.path"),
        ("time.zone=Mars/Olympus", "Mars/Olympus"),
        (
            "split.train.until=2024-03-20",
            "the future leaks into the past: validate begins 2024-03-01",
        ),
        ("split.test={from: 2024-01-01, until: 2024-01-31}", "test begins 2024-01-01, before validate ends"),
        ("split.train={from: 2024-02-01, until: 2024-01-01}", "is not before until"),
        ("unavailable_at_prediction=[wind]", "the future leaks in: wind"),
        ("target.column=load", "the future leaks in: load"),
        ("features=[{name: load, kind: numeric}, {name: load, kind: numeric}]", "load is declared twice"),
        ("features=[{name: load, kind: numeric, minimum: 2, maximum: 1}]", "minimum 2.0 is not below maximum 1.0"),
        ("features=[{name: load, kind: numeric, out_of_range: missing}]", "needs nullable: true"),
        ("features=[{name: load, kind: picture}]", "features.0"),
        ("gate={rmse: {at_most: 1}}", "rmse is no metric of binary_classification"),
        ("gate={auc: {}}", "exactly one of at_least and at_most"),
        ("gate={}", "gate"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(override: str, named: str):
    with pytest.raises(Refused) as refused:
        parse_config(CONFIG, overrides=(override,))
    assert named in str(refused.value)


def test_every_fault_is_listed_at_once():
    with pytest.raises(Refused) as refused:
        parse_config(CONFIG, overrides=("model.name=NO", "data.table.path=rows.txt", "extra=1"))
    assert len(refused.value.problems) == 3


def test_an_override_reaches_the_key_it_names():
    config = parse_config(CONFIG, overrides=("model.params.C=0.1", 'model.version="1.10"'))
    assert config.model.params == {"C": 0.1, "max_iter": 500}
    assert config.model.version == "1.10"


@pytest.mark.parametrize("override", ["model.params.C", "=1", "model..C=1", "model.name.first=x", "features=["])
def test_an_override_that_cannot_be_read_is_refused(override: str):
    with pytest.raises(Refused, match="--set"):
        parse_config(CONFIG, overrides=(override,))


@pytest.mark.parametrize("text", ["a: [", "- a", ""])
def test_what_is_no_mapping_is_refused(text: str):
    with pytest.raises(Refused, match="configuration"):
        parse_config(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(Refused, match=r"gone\.yaml"):
        read_config(tmp_path / "gone.yaml")
