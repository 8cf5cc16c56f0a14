"""The operator has the rights it uses, and no others."""

from pathlib import Path

import yaml

from leeway_operators.core.turn import RECORDS_KEPT
from leeway_operators.shell import api
from leeway_operators.shell.controller import WATCHED
from tests.world import NAME, NAMESPACE, REPOSITORY, World, spec

RULES = REPOSITORY / "operators/rbac.yaml"
VERBS = {
    "apply": {"create", "patch"},
    "annotate": {"patch"},
    "create": {"create"},
    "delete": {"delete"},
    "merge": {"patch"},
}
# What `Leader` asks for: to read the Lease, to make it, to write over it.
OF_THE_LEADER = {("leases", "get"), ("leases", "create"), ("leases", "update")}


def used() -> set[tuple[str, str]]:
    """(resource, verb) of everything that a life of releases asks the API server for."""
    world = World()
    for slot in ("a", "b"):
        metadata = {"name": f"{NAME}-{slot}-scale", "namespace": NAMESPACE}
        world.put(api.HPAS, {"metadata": metadata, "spec": {"maxReplicas": 5}})
    world.put(api.GATEWAYS, {"metadata": {"name": "leeway"}, "spec": {"gatewayClassName": "envoy"}})
    world.put(api.GATEWAY_CLASSES, {"metadata": {"name": "envoy"}})
    for number in range(RECORDS_KEPT + 2):
        steps = [{"weight": 0, "shadow": True}] if number == 1 else []
        world.release(spec(str(number)) | {"strategy": {"steps": steps}})
        world.settle()
    rights = {(plural, verb) for verb, plural in world.reads}
    for verb, plural in world.writes:
        if verb == "status":
            rights.add((f"{plural}/status", "patch"))
        elif plural == api.HPAS.plural:
            rights.add((plural, "patch"))  # only ever one that exists
        else:
            rights |= {(plural, allowed) for allowed in VERBS[verb]}
    for resource, _ in WATCHED:
        rights |= {(resource.plural, "list"), (resource.plural, "watch")}
    # Asked for by admission, not by us: see rbac.yaml.
    return rights | OF_THE_LEADER | {("modelrollouts/finalizers", "update")}


def test_the_rules_are_what_the_operator_uses() -> None:
    rules = yaml.safe_load(RULES.read_text())
    granted = {(name, verb) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}
    assert granted == used()


def test_the_rules_name_the_groups_that_the_operator_asks() -> None:
    rules = yaml.safe_load(RULES.read_text())
    groups = {name.split("/")[0]: group for rule in rules for name in rule["resources"] for group in rule["apiGroups"]}
    asked = [item for item in vars(api).values() if isinstance(item, api.Resource)]
    assert groups == {resource.plural: resource.group for resource in asked}


def test_the_readme_lists_the_rules() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for rule in yaml.safe_load(RULES.read_text()):
        group = rule["apiGroups"][0] or "(core)"
        assert f"| {group} | {', '.join(rule['resources'])} | {', '.join(rule['verbs'])} |" in readme
