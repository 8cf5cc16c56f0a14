"""What drills install is what the chart takes: a team's release of one model, whose alerts reach the drills' inbox."""

import pytest
import yaml

from chart.rendering import DIGEST, Render, Rendered
from drill.alerts import mailbox
from drill.alerts.catalog import DRILLS
from drill.alerts.release import values, with_fault
from rollouts.manifests import Site

MODEL = {"storageUri": "oci://docker.io/leeway/model-flights:1.0.0", "version": "1.0.0", "digest": DIGEST}
SITE = Site("drill-failing", "drill-failing")


@pytest.fixture(scope="module")
def rendered(render: Render) -> Rendered:
    """A model whose server has a fault."""
    serving = values(SITE, MODEL, images={"operators": {"tag": "1"}}, steps=[{"weight": 50}])
    faulty = with_fault(serving, "errors=0.05", "docker.io/leeway/onnx-server-faulty:123")
    return render({**faulty, **mailbox.values()}, release=SITE.name, namespace=SITE.namespace)


def test_a_drill_serves_one_model_of_its_own_through_the_platforms_gateway(rendered: Rendered) -> None:
    spec = rendered.one("ModelRollout", SITE.name)["spec"]
    assert spec["endpoint"]["gateway"] == {"name": "leeway", "namespace": "leeway"}
    assert spec["endpoint"]["hostnames"] == [SITE.hostname]
    assert spec["model"]["env"] == [{"name": "FAULT", "value": "errors=0.05"}]
    (container,) = rendered.one("ServingRuntime")["spec"]["containers"]
    assert container["image"] == "docker.io/leeway/onnx-server-faulty:123"
    assert not rendered.all("Deployment"), "operator and detector are the platform's"


def test_the_rules_of_its_models_alerts_are_its_own(rendered: Rendered) -> None:
    rules = [
        rule for found in rendered.all("PrometheusRule") for group in found["spec"]["groups"] for rule in group["rules"]
    ]
    raised = {rule["alert"]: rule["labels"]["namespace"] for rule in rules if "alert" in rule}
    own = {drill.alert for drill in DRILLS.values() if not drill.platform}
    assert own <= raised.keys()
    assert set(raised.values()) == {SITE.namespace}
    assert not raised.keys() & {drill.alert for drill in DRILLS.values() if drill.platform and drill.name}


def test_its_alerts_reach_the_inbox(rendered: Rendered) -> None:
    receivers = rendered.one("AlertmanagerConfig")["spec"]["receivers"]
    told = yaml.safe_dump(receivers)
    assert f"name: {mailbox.SECRET}" in told
    assert "smarthost: inbox.leeway-inbox.svc:2525" in told


def test_a_sound_server_is_that_of_the_chart(render: Render) -> None:
    sound = render(values(SITE, MODEL, images={}), release=SITE.name, namespace=SITE.namespace)
    (container,) = sound.one("ServingRuntime")["spec"]["containers"]
    assert container["image"].startswith("docker.io/leeway/onnx-server:")
    assert "env" not in sound.one("ModelRollout")["spec"]["model"]
