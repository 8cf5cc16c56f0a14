#!/bin/sh
# Prints the path of uv, the one tool everything Python here is installed with; fetches it into the cache first
# if need be. Needs python3 (3.11); pip if there, else Debian's own pip package, unpacked and not installed.
set -eu
UV_VERSION=0.13.9
cache=${XDG_CACHE_HOME:-$HOME/.cache}/leeway/uv-$UV_VERSION
if [ ! -x "$cache/bin/uv" ]; then
    python=$(command -v python3.11 || command -v python3 || true)
    [ -n "$python" ] || { echo "bootstrap: Python 3.11 is missing; install it: apt-get install python3" >&2; exit 1; }
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        { echo "bootstrap: $python is $("$python" --version), Python 3.11 is expected on PATH" >&2; exit 1; }
    rm -rf "$cache.new" && mkdir -p "$cache.new/pip"
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        (
            cd "$cache.new/pip"
            mkdir -p lists/partial archives/partial
            apt="apt-get -qq -o Dir::State::lists=$PWD/lists -o Dir::Cache=$PWD -o APT::Sandbox::User=root"
            $apt update >&2 && $apt download python3-pip >&2
            dpkg-deb -x python3-pip_*.deb .
        ) || { echo "bootstrap: neither pip nor Debian's python3-pip could be had; check the network, then run make again" >&2; exit 1; }
        export PYTHONPATH="$cache.new/pip/usr/lib/python3/dist-packages"
    fi
    "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$cache.new" "uv==$UV_VERSION" >&2 ||
        { echo "bootstrap: uv $UV_VERSION could not be installed; check the network, then run make again" >&2; exit 1; }
    rm -rf "$cache.new/pip" "$cache" && mv "$cache.new" "$cache"
fi
echo "$cache/bin/uv"
