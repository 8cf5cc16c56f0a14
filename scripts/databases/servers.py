"""PostgreSQL, MariaDB and Redis on the loopback address, as an unprivileged user, with nothing left behind."""

import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cluster.fetch.debian import unpack

NOBODY = "nobody"
_DATABASE = "leeway"

# Everything a server links with but libc, so that a machine with nothing but Debian's base will do.
_COMMON = (
    "libcap2", "libgcc-s1", "libgcrypt20", "libgpg-error0", "liblz4-1", "liblzma5", "libssl3", "libstdc++6",
    "libsystemd0", "libzstd1", "zlib1g",
)  # fmt: skip
POSTGRESQL = (
    *_COMMON,
    "libaudit1", "libcap-ng0", "libcom-err2", "libffi8", "libgmp10", "libgnutls30", "libgssapi-krb5-2", "libhogweed6",
    "libicu72", "libidn2-0", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "libldap-2.5-0",
    "libnettle8", "libp11-kit0", "libpam0g", "libpq5", "libsasl2-2", "libtasn1-6", "libunistring2", "libxml2",
    "postgresql-15",
)  # fmt: skip
MARIADB = (*_COMMON, "libaio1", "libcrypt1", "libnuma1", "libpcre2-8-0", "liburing2", "mariadb-server-core")
REDIS = (*_COMMON, "libatomic1", "libjemalloc2", "liblzf1", "redis-server", "redis-tools")

_UNUSED = shutil.ignore_patterns("bitcode", "doc", "i18n", "locale", "man", "*.mo", "llvmjit*")


class ServerFailedError(RuntimeError):
    """A server did not start; the message carries what it printed."""


@dataclass(frozen=True)
class Place:
    """Where a server lives.

    Attributes:
        tree: the unpacked packages, readable by the user it runs as.
        data: its files, owned by that user.
        port: on 127.0.0.1.
        password: of the user ``leeway``.
    """

    tree: Path
    data: Path
    port: int
    password: str

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's but where libraries are."""
        folders = sorted(
            {str(found.parent) for found in self.tree.glob("**/*.so*") if "linux-gnu" in found.parent.name}
        )
        return {"LD_LIBRARY_PATH": ":".join(folders), "TZ": "UTC", "LC_ALL": "C", "HOME": str(self.data)}


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL and yield the URL of a database; it is stopped and removed afterwards.

    Raises:
        ServerFailedError: it did not start.
        CommandFailedError: its packages could not be fetched.
    """
    with _place(POSTGRESQL) as place:
        binaries = next(place.tree.glob("usr/lib/postgresql/*/bin"))
        password = place.data / "password"
        password.write_text(place.password)
        password.chmod(0o644)
        cluster = place.data / "cluster"
        initialise: list[str | Path] = [
            binaries / "initdb",
            "-D",
            cluster,
            "-U",
            _DATABASE,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        _run([*initialise, "--auth=scram-sha-256", f"--pwfile={password}"], place)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(place.port),
            "unix_socket_directories": str(place.data),
            "fsync": "off",  # it holds nothing that outlives it
            "jit": "off",  # its library is most of the package
        }
        command: list[str | Path] = [
            binaries / "postgres",
            "-D",
            cluster,
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
        with _server(command, place, ready="database system is ready to accept connections", stop=signal.SIGINT):
            yield f"postgresql://{_DATABASE}:{place.password}@127.0.0.1:{place.port}/postgres"


@contextmanager
def mariadb() -> Iterator[str]:
    """Run MariaDB and yield the URL of a database; it is stopped and removed afterwards.

    Raises:
        ServerFailedError: it did not start.
        CommandFailedError: its packages could not be fetched.
    """
    with _place(MARIADB) as place:
        share = place.tree / "usr/share/mysql"
        command: list[str | Path] = [
            place.tree / "usr/sbin/mariadbd", "--no-defaults", f"--datadir={place.data}", f"--tmpdir={place.data}",
            f"--lc-messages-dir={share}", f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={place.tree / 'usr/lib/mysql/plugin'}",
            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0",
        ]  # fmt: skip
        tables = [(share / name).read_text() for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql")]
        user = f"'{_DATABASE}'@'localhost'"
        script = "\n".join(
            [
                "CREATE DATABASE mysql;",
                "USE mysql;",
                "SET @auth_root_socket=NULL;",
                *tables,
                "FLUSH PRIVILEGES;",
                f"CREATE DATABASE {_DATABASE};",
                f"CREATE USER {user} IDENTIFIED BY '{place.password}';",
                f"GRANT ALL ON {_DATABASE}.* TO {user};",
                "",
            ]
        )
        _run([*command, "--bootstrap"], place, stdin=script)
        serve = [f"--port={place.port}", "--bind-address=127.0.0.1", f"--socket={place.data / 'socket'}"]
        with _server([*command, *serve], place, ready="ready for connections", stop=signal.SIGTERM):
            yield f"mariadb://{_DATABASE}:{place.password}@127.0.0.1:{place.port}/{_DATABASE}"


@contextmanager
def redis() -> Iterator[str]:
    """Run Redis and yield the URL of an empty database; it is stopped and removed afterwards.

    Raises:
        ServerFailedError: it did not start.
        CommandFailedError: its packages could not be fetched.
    """
    with _place(REDIS) as place:
        settings = {"bind": "127.0.0.1", "port": str(place.port), "save": "", "requirepass": place.password}
        command: list[str | Path] = [place.tree / "usr/bin/redis-server"]
        for name, value in settings.items():
            command += [f"--{name}", value]
        with _server(command, place, ready="Ready to accept connections", stop=signal.SIGTERM):
            yield f"redis://:{place.password}@127.0.0.1:{place.port}/0"


SERVERS = {"postgresql": postgresql, "mariadb": mariadb, "redis": redis}


@contextmanager
def _place(packages: Sequence[str]) -> Iterator[Place]:
    """A folder for a server's programs and files; the cache may lie where only root can read."""
    unpacked = unpack(packages)
    with tempfile.TemporaryDirectory(prefix="leeway-database-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(unpacked, folder / "tree", symlinks=True, ignore=_UNUSED, copy_function=_link)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, NOBODY)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        yield Place(folder / "tree", data, port, secrets.token_hex(8))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


def _user() -> dict[str, Any]:
    """Both servers refuse to run as root."""
    return {"user": NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def _run(command: Sequence[str | Path], place: Place, *, stdin: str = "") -> None:
    done = subprocess.run(
        [str(part) for part in command], env=place.environment, cwd=place.data, input=stdin, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **_user(),
    )  # fmt: skip
    if done.returncode != 0:
        raise ServerFailedError(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout[-2000:]}")


@contextmanager
def _server(command: Sequence[str | Path], place: Place, *, ready: str, stop: signal.Signals) -> Iterator[None]:
    process = subprocess.Popen(
        [str(part) for part in command], env=place.environment, cwd=place.data, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **_user(),
    )  # fmt: skip
    started: queue.SimpleQueue[bool] = queue.SimpleQueue()
    printed: deque[str] = deque(maxlen=30)
    reader = threading.Thread(target=_read, args=(process.stdout, ready, started, printed))
    reader.start()
    try:
        if not started.get():
            raise ServerFailedError(f"{Path(command[0]).name} ended before it was ready:\n{''.join(printed)}")
        yield
    finally:
        process.send_signal(stop)
        reader.join()
        process.wait()


def _read(lines: IO[str], ready: str, started: queue.SimpleQueue[bool], printed: deque[str]) -> None:
    """Read all that a server prints, since it stops once nobody does; say whether it got ready before its end."""
    for line in lines:
        printed.append(line)
        if ready in line:
            started.put(True)
    started.put(False)
