"""What Terraform tells a virtual machine, read back for Ansible, so that both make the same cluster of one.

terraform/environments/ec2 is the source: versions, charts, values and objects stand there and in its modules only.
"""

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster import paths
from cluster.shell import run
from infrastructure import program, stand_in

ROLE = paths.REPOSITORY / "ansible/roles/cluster"
_NOTE = "# Written by make ansible-releases from terraform/environments/ec2.\n"


def files(scratch: Path) -> dict[Path, str]:
    """Return the text of each file of the role that Terraform's description decides, by its path below the role.

    Args:
        scratch: an empty folder.

    Raises:
        CommandFailedError: Terraform does not take the configuration.
        ValueError: the machine is told to write or run something that this does not know.
    """
    told = cloud_config(scratch)
    written = {Path(file["path"]).name: file["content"] for file in told["write_files"]}
    known = {"config.yaml", "leeway-objects.yaml", "leeway-releases.yaml", "install-k3s"}
    if written.keys() != known or told.keys() != {"package_update", "package_upgrade", "write_files", "runcmd"}:
        raise ValueError(
            f"cloud-init is told {sorted(told)} and writes {sorted(written)}; {sorted(known)} were expected"
        )
    ((_, version),) = told["runcmd"]
    releases = [each["metadata"]["name"] for each in yaml.safe_load_all(written["leeway-releases.yaml"])]
    decided = {"cluster_k3s_version": version, "cluster_releases": releases}
    return {Path("vars/main.yml"): f"---\n{_NOTE}{yaml.safe_dump(decided, sort_keys=False)}"} | {
        Path("files") / name: _NOTE + written[name] for name in sorted(written) if name.endswith(".yaml")
    }


def cloud_config(scratch: Path) -> dict[str, Any]:
    """Return what environments/ec2 gives the machine as its user data, with no values of anybody's own.

    Raises:
        CommandFailedError: Terraform does not take the configuration.
    """
    # As deep as in the repository, whose charts the modules name relative to themselves.
    (scratch / "charts").symlink_to(paths.REPOSITORY / "charts")
    ignored = shutil.ignore_patterns(".terraform*", "terraform.tfstate*")
    tree = Path(shutil.copytree(paths.REPOSITORY / "terraform", scratch / "terraform", ignore=ignored))
    # Nothing is remembered, so nowhere.
    (tree / "environments/ec2/backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    environment = stand_in.mirror(scratch / "providers")
    given = {"region": "eu-central-1", "clients": ["192.0.2.0/24"]}
    platform = "{ releases = module.platform.releases, objects = module.platform.objects }"
    described = _evaluate(tree / "environments/ec2", platform, given, environment)
    machine = {"name": "leeway", "clients": given["clients"], **described}
    return dict(_evaluate(tree / "modules/ec2", "local.cloud_config", machine, environment))


def _evaluate(folder: Path, expression: str, variables: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    terraform: list[str | Path] = [program.find(), f"-chdir={folder}"]
    run([*terraform, "init", "-no-color", "-input=false"], env=environment)
    file = folder / "given.tfvars.json"
    file.write_text(json.dumps(variables))
    question = f"base64encode(jsonencode({expression}))\n"
    answer = run([*terraform, "console", f"-var-file={file.name}"], env=environment, stdin=question)
    return json.loads(base64.b64decode(json.loads(answer)))
