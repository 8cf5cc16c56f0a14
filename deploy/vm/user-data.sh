#!/bin/sh
# User data of a machine that serves one model: fetches the server's package, checks it, and installs what it holds.
# Fill in the four values and give the file to the machine, or run it there as root; with other values it upgrades.
# What it takes and leaves behind: docs/vm.md.
set -eu

# What `make server-package` wrote, and the SHA-256 that it printed.
: "${PACKAGE_URL:=}" "${PACKAGE_SHA256:=}"
# A bundle as .tar.gz, and its digest (sha256:…): of the manifest, as in `spec.model.digest`.
: "${BUNDLE_URL:=}" "${BUNDLE_DIGEST:=}"
# What clients call the model.
: "${MODEL_NAME:=model}"
# Who may ask: 127.0.0.1 is a proxy on this machine, which ends TLS; 0.0.0.0 is everybody that reaches the port.
: "${LISTEN:=127.0.0.1}"
export BUNDLE_URL BUNDLE_DIGEST MODEL_NAME LISTEN PACKAGE_SHA256

fail() { echo "user-data: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "runs as root, as cloud-init runs it"
[ -n "$PACKAGE_URL" ] || fail "PACKAGE_URL is empty: the address of leeway-server-VERSION.tar.gz was expected"
printf %s "$PACKAGE_SHA256" | grep -Eqx '[0-9a-f]{64}' || fail "PACKAGE_SHA256 '$PACKAGE_SHA256': 64 hex digits were expected"
command -v curl >/dev/null || { apt-get -qq update && apt-get -qq install --yes --no-install-recommends ca-certificates curl; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl --fail --silent --show-error --location --retry 5 --output "$work/package.tar.gz" "$PACKAGE_URL"
echo "$PACKAGE_SHA256  $work/package.tar.gz" | sha256sum --check --status \
    || fail "$PACKAGE_URL has SHA-256 $(sha256sum "$work/package.tar.gz" | cut -d' ' -f1); $PACKAGE_SHA256 was expected"
mkdir "$work/package"
tar --extract --gzip --no-same-owner --file "$work/package.tar.gz" --directory "$work/package"
"$work/package/install.sh"
