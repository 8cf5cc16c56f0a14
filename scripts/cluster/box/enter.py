"""Makes the box's cgroups, then becomes the program that makes the namespaces and starts the box's init in them.

Run as: python -m cluster.box.enter CGROUP NAMESPACE CONFIG (from the folder that holds `cluster`).
"""

import os
import sys

from cluster.box import cgroups


def main() -> None:
    """Never returns."""
    cgroup, name, config = sys.argv[1:4]
    groups = cgroups.create(cgroup)
    cgroups.join(groups.outer)
    os.execvp(  # noqa: S606 - there is no shell here on purpose
        "nsenter",
        [
            "nsenter", f"--net=/run/netns/{name}",
            "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--propagation", "private",
            sys.executable, "-m", "cluster.box.init", config, *map(str, groups.root),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
