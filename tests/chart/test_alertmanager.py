"""Whom an Alertmanager is asked to tell of alerts; what it then does is in tests/alertmanager."""

from typing import Any

import pytest

from chart.rendering import EVERYTHING, PROMETHEUS_OPERATOR, ChartError, Manifest, Render

WITHOUT_OPERATOR = tuple(api for api in EVERYTHING if api not in PROMETHEUS_OPERATOR)
SLACK: Manifest = {"slack": {"existingSecret": "leeway-slack"}}
EMAIL: Manifest = {"email": {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": "smtp.example.com:587"}}


def values(*parts: Manifest, **more: object) -> Manifest:
    together = {key: value for part in (*parts, more) for key, value in part.items()}
    return {"monitoring": {"alertmanagerConfig": together}}


def spec(render: Render, *parts: Manifest, **more: object) -> Manifest:
    found: Manifest = render(values(*parts, **more)).one("AlertmanagerConfig")["spec"]
    return found


def receiver(found: Manifest, name: str) -> Manifest:
    (only,) = (one for one in found["receivers"] if one["name"] == name)
    return dict(only)


def secrets(found: Manifest, prefix: str) -> dict[str, str]:
    """Receiver → Secret of its webhook, of the receivers whose names begin so."""
    return {
        one["name"].removeprefix(prefix): config["apiURL"]["name"]
        for one in found["receivers"]
        for config in one.get("slackConfigs", [])
        if one["name"].startswith(prefix)
    }


@pytest.mark.parametrize("whom", [SLACK, EMAIL, {"watchdog": {"existingSecret": "leeway-heartbeat"}}])
@pytest.mark.parametrize(("enabled", "there", "elsewhere"), [("auto", 1, 0), (True, 1, 1), (False, 0, 0)])
def test_by_default_it_is_where_its_kind_is_and_somebody_to_tell(
    render: Render,
    whom: Manifest,
    enabled: bool | str,  # noqa: FBT001 - a value of the chart
    there: int,
    elsewhere: int,
) -> None:
    given = values(whom, enabled=enabled)
    assert len(render(given).all("AlertmanagerConfig")) == there
    assert len(render(given, apis=WITHOUT_OPERATOR).all("AlertmanagerConfig")) == elsewhere


def test_nobody_to_tell_is_no_object(render: Render) -> None:
    assert not render({}).all("AlertmanagerConfig")


REFUSED: dict[str, tuple[Manifest, str]] = {
    "nobody to tell": ({"enabled": True}, "nobody is named"),
    "a channel without a webhook": (
        {**EMAIL, "slack": {"channel": "#models"}},
        "#models has no webhook.*slack.existingSecret",
    ),
    "a team's channel without a webhook": (
        {"teams": {"fraud": {"slack": {"channel": "#fraud"}}}},
        "#fraud has no webhook",
    ),
    "no sender": ({"email": {**EMAIL["email"], "from": ""}}, "email.from"),
    "no server": ({"email": {**EMAIL["email"], "smarthost": ""}}, "email.smarthost"),
    "a server without a port": ({"email": {**EMAIL["email"], "smarthost": "smtp.example.com"}}, "smarthost"),
    "a user without a password": ({"email": {**EMAIL["email"], "username": "leeway"}}, "email.existingSecret"),
    "a severity that no alert has": ({**SLACK, "slack": {"severities": {"page": {}}}}, "page"),
    "a team that is nobody": ({"teams": {"fraud": {}}}, "fraud"),
    "a time in words": ({**SLACK, "repeatInterval": {"critical": "4 hours"}}, "critical"),
}


@pytest.mark.parametrize(("given", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_tell_nobody_is_refused(render: Render, given: Manifest, named: str) -> None:
    with pytest.raises(ChartError, match=rf"(?s){named}"):
        render({"monitoring": {"alertmanagerConfig": given}})


def test_webhooks_and_passwords_stay_in_their_secrets(render: Render) -> None:
    email = {**EMAIL["email"], "username": "leeway", "existingSecret": "leeway-smtp"}
    found = receiver(spec(render, SLACK, email=email, watchdog={"existingSecret": "beat"}), "default-critical")
    assert found["slackConfigs"][0]["apiURL"] == {"name": "leeway-slack", "key": "url"}
    assert found["emailConfigs"][0]["authPassword"] == {"name": "leeway-smtp", "key": "password"}
    watchdog = receiver(spec(render, watchdog={"existingSecret": "beat"}), "watchdog")
    assert watchdog["webhookConfigs"] == [{"urlSecret": {"name": "beat", "key": "url"}, "sendResolved": False}]


def test_a_channel_is_only_named_where_one_is_given(render: Render) -> None:
    slack = {"existingSecret": "leeway-slack", "channel": "#models"}
    assert receiver(spec(render, slack=slack), "default-warning")["slackConfigs"][0]["channel"] == "#models"
    assert "channel" not in receiver(spec(render, SLACK), "default-warning")["slackConfigs"][0]


def test_a_severity_may_have_a_place_of_its_own(render: Render) -> None:
    slack = {"existingSecret": "everybody", "severities": {"critical": {"existingSecret": "pages"}}}
    told = {"critical": "pages", "warning": "everybody", "warning-once": "everybody", "info-once": "everybody"}
    assert secrets(spec(render, slack=slack), "default-") == told


def test_e_mails_are_for_the_severities_that_ask_for_them(render: Render) -> None:
    found = spec(render, email={**EMAIL["email"], "severities": ["critical"]})
    assert [one["name"] for one in found["receivers"] if "emailConfigs" in one] == ["default-critical"]


def test_a_team_has_what_everybody_has_but_for_what_it_says_itself(render: Render) -> None:
    teams: dict[str, Any] = {
        "fraud": {"email": {"to": "fraud@example.com", "requireTLS": False}},
        "ads": {"slack": {"channel": "#ads"}},
    }
    slack = {"existingSecret": "everybody", "severities": {"critical": {"existingSecret": "pages"}}}
    found = spec(render, EMAIL, slack=slack, teams=teams)
    assert secrets(found, "team-fraud-")["critical"] == "pages"
    fraud, ads = (receiver(found, f"team-{name}-critical") for name in ("fraud", "ads"))
    assert fraud["emailConfigs"][0]["to"] == "fraud@example.com"
    assert fraud["emailConfigs"][0]["smarthost"] == "smtp.example.com:587"
    assert (fraud["emailConfigs"][0]["requireTLS"], ads["emailConfigs"][0]["requireTLS"]) == (False, True)
    assert ads["emailConfigs"][0]["to"] == "ml@example.com"
    # A team that names a channel hears all of its alerts there.
    assert set(secrets(found, "team-ads-").values()) == {"everybody"}
    assert ads["slackConfigs"][0]["channel"] == "#ads"


def test_times_are_those_of_the_values(render: Render) -> None:
    repeat, grouping = {"critical": "1h", "warning": "2d"}, {"wait": "5s", "interval": "30s"}
    route = spec(render, SLACK, repeatInterval=repeat, grouping=grouping)["route"]
    assert (route["groupWait"], route["groupInterval"], route["repeatInterval"]) == ("5s", "30s", "2d")
    (critical,) = (one for one in route["routes"] if one["receiver"] == "default-critical")
    assert critical["repeatInterval"] == "1h"


def test_it_carries_the_labels_that_an_alertmanager_looks_for(render: Render) -> None:
    given = {"monitoring": {"labels": {"release": "stack"}, "alertmanagerConfig": SLACK}}
    assert render(given).one("AlertmanagerConfig")["metadata"]["labels"]["release"] == "stack"
