"""Playbooks run on a target by SSH, as a person with a key runs them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import paths
from machine.target import HOST, Target

FOLDER = paths.REPOSITORY / "ansible"


@dataclass(frozen=True)
class Ran:
    """What a run of a playbook came to: its exit code and all that it printed."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something.

        Raises:
            ValueError: no task ran; shows what was printed.
        """
        found = re.search(r"changed=(\d+)", self.output)
        if found is None:
            raise ValueError(f"the run has no recap:\n{self.output}")
        return int(found[1])


@dataclass(frozen=True)
class Controller:
    """Who runs playbooks on a target.

    Attributes:
        target: in the groups of every playbook, reached by SSH as root.
        home: a folder for the inventory and the host's key.
    """

    target: Target
    home: Path

    def run(self, playbook: str, *options: str, **variables: Any) -> Ran:
        """Run a playbook of ansible/ with these variables laid over the target's; a failure is no exception."""
        inventory = self.home / "inventory.json"
        groups = {group: {"hosts": {"machine": self._host()}} for group in ("leeway_cluster", "leeway_servers")}
        inventory.write_text(json.dumps(groups))
        given = ["--inventory", str(inventory), "--extra-vars", json.dumps(variables)]
        done = subprocess.run(
            ["ansible-playbook", *given, *options, str(FOLDER / playbook)],
            env={
                # ansible-playbook belongs to the Python that runs this.
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def _host(self) -> dict[str, Any]:
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.target.ports[22],
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.target.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.home}/known -o StrictHostKeyChecking=accept-new",
            "ansible_python_interpreter": "/usr/bin/python3",
            "machine_admins": [f"{HOST}/32"],
            "machine_clients": [f"{HOST}/32"],
        }
