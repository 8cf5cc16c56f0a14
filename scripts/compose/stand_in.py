"""MariaDB from Debian's packages as an image that takes the place of MySQL's, where no registry can be reached."""

import shutil
import tempfile
from pathlib import Path

from cluster.fetch import debian
from databases.servers import MARIADB
from images import base, oci

_CLIENT = ("libbsd0", "libedit2", "libmd0", "libncurses6", "libtinfo6", "mariadb-client", "mariadb-client-core")
# What MySQL's own entrypoint does with the variables of the compose file.
_ENTRYPOINT = r"""#!/bin/sh
set -eu
data=/var/lib/mysql
server="mariadbd --no-defaults --user=root --datadir=$data"
if [ ! -d "$data/mysql" ]; then
    {
        printf '%s;\n' 'CREATE DATABASE mysql' 'USE mysql' 'SET @auth_root_socket=NULL'
        cat /usr/share/mysql/mysql_system_tables.sql /usr/share/mysql/mysql_system_tables_data.sql
        printf '%s;\n' 'FLUSH PRIVILEGES' "CREATE DATABASE $MYSQL_DATABASE" \
            "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD'" \
            "GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%'"
    } | $server --bootstrap
fi
exec $server --bind-address=0.0.0.0 --port=3306 --socket=/tmp/socket
"""


def image(archive: Path, reference: str) -> None:
    """Write the image as `reference` to `archive`.

    Raises:
        CommandFailedError: Debian's packages could not be fetched.
    """
    packages = list(dict.fromkeys([*base.PACKAGES, *MARIADB, *_CLIENT]))
    with tempfile.TemporaryDirectory(dir=archive.parent) as work:
        root = Path(work) / "root"
        shutil.copytree(debian.unpack(packages, records=True), root, symlinks=True)
        base.arrange(root)
        entrypoint = root / "usr/local/bin/entrypoint"
        entrypoint.parent.mkdir(parents=True, exist_ok=True)
        entrypoint.write_text(_ENTRYPOINT, encoding="utf-8")
        entrypoint.chmod(0o755)
        config = {"Entrypoint": ["/usr/local/bin/entrypoint"], "Env": ["PATH=/usr/bin:/usr/sbin"], "WorkingDir": "/"}
        oci.write_image(archive, reference, [oci.layer(oci.tree(root, "/")) | {"tmp": oci.Entry(mode=0o1777)}], config)
