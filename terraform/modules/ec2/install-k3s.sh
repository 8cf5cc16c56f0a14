#!/bin/sh
# install-k3s VERSION: installs k3s by its own script, of the same version, which checks the program against the
# checksums of the release.
set -eu
version=$1
script=$(mktemp)
trap 'rm -f "$script"' EXIT
tag=$(printf %s "$version" | sed 's/+/%2B/')
curl --fail --silent --show-error --location --retry 5 --proto '=https' --output "$script" \
    "https://raw.githubusercontent.com/k3s-io/k3s/$tag/install.sh"
INSTALL_K3S_VERSION="$version" sh "$script" server
