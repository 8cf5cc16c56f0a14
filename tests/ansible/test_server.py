"""The model server on a machine, by user data: installed, verified, guarded, upgraded, and put back."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cluster import demo, paths
from cluster.shell import CommandFailedError
from images.build import bundle_identity
from machine import server_package
from machine.playbooks import Controller
from machine.target import Target

USER_DATA = (paths.REPOSITORY / "deploy/vm/user-data.sh").read_text()
UserData = Callable[..., str]


@pytest.fixture(scope="module")
def user_data(machine: Target, settings: Mapping[str, str]) -> UserData:
    """Runs user-data.sh on the machine with the settings, and what is changed of them."""

    def run(**changes: str) -> str:
        return machine.run("sh", "-s", env={**settings, **changes}, stdin=USER_DATA)

    return run


@pytest.fixture(scope="module")
def upgrade(folder: Path, url: str) -> Mapping[str, str]:
    """The same model under another version, which is another digest."""
    bundle = Path(shutil.copytree(demo.train(demo.VERSION), folder / "next"))
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "version": "9.0.0"}))
    server_package.pack_bundle(bundle, folder / "next.tar.gz")
    return {"BUNDLE_URL": f"{url}/next.tar.gz", "BUNDLE_DIGEST": bundle_identity(bundle)[1]}


def started(machine: Target) -> str:
    """When the server was started last, and how often it was started again by itself."""
    return machine.run("systemctl", "show", "leeway-server", "--property=ExecMainStartTimestampMonotonic,NRestarts")


def version(machine: Target) -> str:
    answer = machine.run("curl", "--silent", "--fail", "http://127.0.0.1:8080/v2/models/flights")
    return str(json.loads(answer)["versions"][0])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"PACKAGE_URL": ""}, "PACKAGE_URL is empty"),
        ({"PACKAGE_SHA256": "0" * 64}, f"{'0' * 64} was expected"),
        ({"PACKAGE_SHA256": "latest"}, "PACKAGE_SHA256 'latest': 64 hex digits were expected"),
        ({"BUNDLE_DIGEST": ""}, "BUNDLE_DIGEST '': sha256: and 64 hex digits were expected"),
        ({"BUNDLE_URL": "s3://bundles/flights"}, "BUNDLE_URL 's3://bundles/flights': the address of a .tar.gz"),
        ({"MODEL_NAME": "Flights\nUser=root"}, "a name such as flights was expected"),
        ({"LISTEN": "localhost"}, "an IPv4 address to listen on was expected"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_changed(
    machine: Target, user_data: UserData, wrong: dict[str, str], told: str
) -> None:
    with pytest.raises(CommandFailedError, match=re.escape(told)):
        user_data(**wrong)
    assert not (machine.root / "opt/leeway-server").exists()


def test_it_serves_the_bundle_that_was_named(machine: Target, user_data: UserData, settings: Mapping[str, str]) -> None:
    assert f"flights is served on 0.0.0.0:8080, bundle {settings['BUNDLE_DIGEST']}" in user_data()
    assert version(machine) == demo.VERSION


def test_it_runs_as_its_own_user_which_has_no_shell_and_no_rights(machine: Target) -> None:
    pid = machine.run("systemctl", "show", "leeway-server", "--property=MainPID", "--value").strip()
    status = machine.run("cat", f"/proc/{pid}/status")
    assert machine.run("ps", "-o", "user:20=", "-p", pid).strip() == "leeway-server"
    assert machine.run("getent", "passwd", "leeway-server").strip().endswith(":/nonexistent:/usr/sbin/nologin")
    assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)


def test_it_owns_nothing_of_what_it_runs(machine: Target) -> None:
    found = machine.run(
        "find", "/opt/leeway-server", "-user", "leeway-server", "-o", "-perm", "/o+w", "-not", "-type", "l"
    )
    assert found == ""


def test_its_exposure_is_what_the_docs_say(machine: Target) -> None:
    documented = (paths.REPOSITORY / "docs/vm.md").read_text()
    for unit in ("leeway-server", "leeway-server-health"):
        report = machine.run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
        exposure = re.search(r"Overall exposure level for (\S+): ([0-9.]+)", report)
        assert exposure, report
        assert f"`{exposure[1]}` {exposure[2]}" in documented, exposure[0]


def test_a_second_run_restarts_nothing(machine: Target, user_data: UserData) -> None:
    before = started(machine)
    assert "served as told already" in user_data()
    assert started(machine) == before


def test_its_log_is_in_the_journal(machine: Target) -> None:
    lines = machine.run("journalctl", "--unit=leeway-server", "--identifier=leeway-server", "--output=cat").splitlines()
    assert [json.loads(line) for line in lines]


def test_it_comes_back_when_it_is_killed(machine: Target) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", "leeway-server")
    machine.run("sh", "-c", "sleep 3; systemctl start leeway-server")  # waits for the start that is under way
    assert "NRestarts=1" in started(machine)
    assert version(machine) == demo.VERSION


def test_it_comes_back_when_it_hangs(machine: Target) -> None:
    before = started(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "leeway-server")
    machine.run("systemctl", "start", "leeway-server-health")
    assert started(machine) != before
    assert version(machine) == demo.VERSION
    assert machine.run("systemctl", "is-active", "leeway-server-health.timer").strip() == "active"


def test_a_bundle_of_another_digest_is_never_served(
    machine: Target, user_data: UserData, upgrade: Mapping[str, str]
) -> None:
    before = started(machine)
    with pytest.raises(CommandFailedError, match=f"{upgrade['BUNDLE_DIGEST']} was to be served"):
        user_data(BUNDLE_DIGEST=upgrade["BUNDLE_DIGEST"])
    assert started(machine) == before


def test_another_bundle_is_an_upgrade(machine: Target, user_data: UserData, upgrade: Mapping[str, str]) -> None:
    user_data(**upgrade)
    assert version(machine) == "9.0.0"


def test_what_does_not_get_ready_is_put_back(machine: Target, user_data: UserData, upgrade: Mapping[str, str]) -> None:
    with pytest.raises(CommandFailedError, match="what served before serves again"):
        user_data(**upgrade, LISTEN="192.0.2.99")  # no address of this machine
    assert version(machine) == "9.0.0"


def test_what_no_release_uses_is_removed(machine: Target, user_data: UserData, upgrade: Mapping[str, str]) -> None:
    user_data(**upgrade, MODEL_NAME="other")
    user_data(**upgrade)
    kept = {
        folder: len(list((machine.root / "opt/leeway-server" / folder).iterdir()))
        for folder in ("bundles", "packages", "releases")
    }
    assert kept == {"bundles": 1, "packages": 1, "releases": 2}


def test_a_fleet_gets_the_same_by_ansible(
    machine: Target, controller: Controller, settings: Mapping[str, str], upgrade: Mapping[str, str]
) -> None:
    given = {f"server_{name.lower()}": value for name, value in {**settings, **upgrade}.items()}
    before = started(machine)
    first = controller.run("server.yml", **given)
    assert first.code == 0, first.output
    assert started(machine) == before, "it was served as told already"
    again = controller.run("server.yml", **given)
    assert (again.code, again.changed) == (0, 0), again.output
    wrong = controller.run("server.yml", **{**given, "server_bundle_digest": "latest"})
    assert wrong.code != 0
    assert "BUNDLE_DIGEST 'latest': sha256: and 64 hex digits were expected" in wrong.output
