"""Workflows do nothing that a laptop cannot do, with no more rights and no other code than they say."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ACTIONS = [*WORKFLOWS, *sorted((ROOT / ".github/actions").rglob("action.yml"))]
# What a runner itself brings, besides make and this repository's scripts.
PLUMBING = {"apt-get", "aws", "echo", "export", "for", "gh", "git"}

workflows = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in read(file)["jobs"].values() for step in job.get("steps", [])]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@workflows
def test_every_command_is_a_target_or_a_script_of_the_repository(file: Path) -> None:
    for step in steps(file):
        for line in step.get("run", "").splitlines():
            first, *rest = line.split()
            if first == "make" and rest[0] != '"$TARGET"':
                assert rest[0] in targets(), line
            elif first.startswith("scripts/"):
                assert (ROOT / first).stat().st_mode & 0o111, line
            else:
                assert first in {*PLUMBING, "make"}, line


def test_the_checks_of_a_change_are_all_that_need_no_cluster() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (check,) = re.findall(r"^check: ([a-z -]+) ##", makefile, re.MULTILINE)
    (suites,) = re.findall(r"^SUITES = (.*)$", makefile, re.MULTILINE)
    # unit/scripts is a part of the target unit; tools is what the others need, and no check.
    expected = {*check.split(), *(suite.partition("/")[0] for suite in suites.split())} - {"tools"}
    assert set(read(FOLDER / "ci.yml")["jobs"]["check"]["strategy"]["matrix"]["target"]) == expected
    assert set(read(ROOT / ".gitlab-ci.yml")["check"]["parallel"]["matrix"][0]["TARGET"]) == expected


def test_every_image_is_scanned() -> None:
    found = subprocess.run(
        ["python3", "-c", "from images.build import IMAGES; print(*IMAGES)"],
        cwd=ROOT / "scripts", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert read(FOLDER / "ci.yml")["jobs"]["scan"]["strategy"]["matrix"]["image"] == found.stdout.split()


def test_one_job_stands_for_all_and_a_skipped_one_is_no_success() -> None:
    jobs = read(FOLDER / "ci.yml")["jobs"]
    assert set(jobs["passed"]["needs"]) == set(jobs) - {"passed"}
    assert jobs["passed"]["if"] == "always()"
    (step,) = jobs["passed"]["steps"]
    for results, passes in (("success success", True), ("success skipped", False), ("cancelled", False)):
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]], env={"RESULTS": results}, capture_output=True, check=False
        )
        assert (done.returncode == 0) == passes, results


@pytest.mark.parametrize("file", ACTIONS, ids=lambda file: str(file.relative_to(ROOT / ".github")))
def test_actions_of_others_are_pinned_by_commit_with_their_version_beside(file: Path) -> None:
    for line in re.findall(r"uses: (\S+.*)", file.read_text()):
        assert line.startswith("./.github/") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_version_everywhere() -> None:
    found = {use for file in ACTIONS for use in re.findall(r"uses: ([\w./-]+@\S+)", file.read_text())}
    assert len({use.partition("@")[0] for use in found}) == len(found)


@workflows
def test_rights_are_given_per_job_and_each_says_why(file: Path) -> None:
    assert read(file)["permissions"] == {}
    for line in re.findall(
        r"^\s+(?:contents|packages|id-token|attestations|pull-requests): .*$", file.read_text(), re.MULTILINE
    ):
        assert " # to " in line, line
    for name, job in read(file)["jobs"].items():
        assert "permissions" in job, name


def test_only_what_publishes_may_write() -> None:
    writers = {
        f"{file.stem}/{name}"
        for file in WORKFLOWS
        for name, job in read(file)["jobs"].items()
        if "write" in {right for what, right in job["permissions"].items() if what != "id-token"}
    }
    assert writers == {"release/publish", "release/announce", "retrain/train"}


def test_an_environment_comes_after_the_one_before_it() -> None:
    jobs = read(FOLDER / "release.yml")["jobs"]
    order = [jobs[name]["needs"] for name in ("dev", "staging", "prod")]
    assert order == ["publish", ["publish", "dev"], ["publish", "staging"]]
    assert read(FOLDER / "deploy.yml")["jobs"]["deploy"]["environment"] == "${{ inputs.environment }}"


def test_nothing_is_published_that_has_not_passed_every_check() -> None:
    jobs = read(FOLDER / "release.yml")["jobs"]
    assert jobs["check"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["publish"]["needs"] == "check"


def test_artifacts_of_a_release_and_of_its_checks_do_not_meet() -> None:
    names = [
        step["with"]["name"]
        for file in ("ci.yml", "release.yml")
        for step in steps(FOLDER / file)
        if "upload-artifact" in step.get("uses", "")
    ]
    assert len(set(names)) == len(names)  # a second of a name fails the run, at its end


def test_a_scan_looks_at_todays_packages_of_debian_and_not_at_cached_ones() -> None:
    (step,) = [
        step
        for step in read(ROOT / ".github/actions/setup/action.yml")["runs"]["steps"]
        if "actions/cache" in step.get("uses", "")
    ]
    kept = [*step["with"]["path"].split(), *read(ROOT / ".gitlab-ci.yml")["default"]["cache"]["paths"]]
    ours = {Path(path).name for path in kept if "leeway" in path}
    assert ours == {"go", "modules", "tools", "wheels"}  # without debian and images
    assert "schedule" in read(FOLDER / "ci.yml")[True]  # YAML 1.1 reads the key `on` as true


def test_what_is_deployed_was_verified_first() -> None:
    commands = [step.get("run", "") for step in steps(FOLDER / "deploy.yml")]
    verified, deployed = (
        next(index for index, command in enumerate(commands) if f"make {target} " in command)
        for target in ("verify-release", "deploy")
    )
    assert verified < deployed
    assert "VERIFIED=" in commands[deployed]  # by digest: what a tag means may change in between


def test_every_deployment_says_what_and_where() -> None:
    called = [job for file in WORKFLOWS for job in read(file)["jobs"].values() if "deploy.yml" in job.get("uses", "")]
    assert len(called) == 4  # the environments of a release, and those whose models have changed
    assert all(set(job["with"]) == set(read(FOLDER / "deploy.yml")[True]["workflow_call"]["inputs"]) for job in called)


def test_a_model_is_trained_again_by_the_clock_by_changed_data_and_by_hand() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert set(read(FOLDER / "retrain.yml")[True]) == {"schedule", "repository_dispatch", "workflow_dispatch"}  # type: ignore[index]


def test_every_lock_and_module_is_kept_up_to_date_but_alibis() -> None:
    updates = {update["package-ecosystem"]: update for update in read(ROOT / ".github/dependabot.yml")["updates"]}
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates.values())
    listed = subprocess.run(["git", "ls-files", "*uv.lock"], cwd=ROOT, capture_output=True, text=True, check=True)
    locks = {f"/{Path(line).parent}".removesuffix("/.") or "/" for line in listed.stdout.splitlines()}
    assert set(updates["uv"]["directories"]) == locks - {"/drift-detector/alibi"}


@pytest.mark.parametrize("name", [".gitlab-ci.yml", "Jenkinsfile"])
def test_other_pipelines_call_the_same_targets(name: str) -> None:
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    commands = "\n".join(line for line in lines if not line.startswith(("#", "//")) and "apt-get" not in line)
    called = {target for call in re.findall(r"\bmake ([a-z-]+(?: [a-z-]+)*)", commands) for target in call.split()}
    assert {"supply-chain", "train", "deploy", "health-check", "rollback"} <= called
    assert called <= targets()
