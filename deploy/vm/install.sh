#!/bin/sh
# Installs the model server from the folder that this script lies in, as a systemd unit, and serves one bundle.
# A second run with other settings is an upgrade: everything new is made and checked beside what serves, then one link
# moves, and it moves back if the new server does not get ready. A run that changes nothing restarts nothing.
#
# Settings, by environment: BUNDLE_URL, BUNDLE_DIGEST, MODEL_NAME, LISTEN, PACKAGE_SHA256 (see user-data.sh).
# pip takes its packages from where /etc/pip.conf or PIP_INDEX_URL says; their hashes are in requirements.txt.
# shellcheck disable=SC1091 # os-release is the machine's own
set -eu
umask 022

package=$(cd "$(dirname "$0")" && pwd)
root=/opt/leeway-server
units="leeway-server.service leeway-server-health.service leeway-server-health.timer"

fail() { echo "install: $*" >&2; exit 1; }
matches() { printf %s "$1" | grep -Eqx "$2"; }

# What is wrong is said before anything is changed.
[ "$(id -u)" = 0 ] || fail "runs as root"
[ -d /run/systemd/system ] || fail "no systemd runs here; a machine that it started was expected"
[ "$(uname -m)" = x86_64 ] || fail "$(uname -m): x86_64 was expected, which the locked wheels are for"
[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian 12" ] \
    || fail "$(. /etc/os-release && echo "$PRETTY_NAME"): Debian 12 was expected, whose Python is the 3.11 of the server"
matches "${MODEL_NAME:-}" '[a-z]([-a-z0-9]{0,38}[a-z0-9])?' || fail "MODEL_NAME '${MODEL_NAME:-}': a name such as flights was expected"
matches "${BUNDLE_DIGEST:-}" 'sha256:[0-9a-f]{64}' || fail "BUNDLE_DIGEST '${BUNDLE_DIGEST:-}': sha256: and 64 hex digits were expected"
matches "${BUNDLE_URL:-}" '(https?|file)://.+' || fail "BUNDLE_URL '${BUNDLE_URL:-}': the address of a .tar.gz was expected"
matches "${LISTEN:-}" '[0-9.]+' || fail "LISTEN '${LISTEN:-}': an IPv4 address to listen on was expected"
matches "${PACKAGE_SHA256:-}" '[0-9a-f]{64}' || fail "PACKAGE_SHA256 '${PACKAGE_SHA256:-}': 64 hex digits were expected"
free=$(df --output=avail --block-size=M /opt | tail -n 1 | tr -dc 0-9)
[ "$free" -ge 1024 ] || fail "/opt has $free MB free; 1024 were expected: the server takes 300, and its successor is made beside it"

if ! { command -v curl && python3.11 -c 'import ensurepip, venv'; } >/dev/null 2>&1; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends ca-certificates curl python3.11-venv >/dev/null
fi
getent passwd leeway-server >/dev/null || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin leeway-server
as_server() { setpriv --reuid leeway-server --regid leeway-server --clear-groups --no-new-privs -- "$@"; }

server=$root/packages/$(printf %.12s "$PACKAGE_SHA256")
bundle=$root/bundles/$(printf %.12s "${BUNDLE_DIGEST#sha256:}")
settings="MODEL_NAME=$MODEL_NAME
LISTEN=$LISTEN
LEEWAY_BUNDLE_DIGEST=$BUNDLE_DIGEST"
release=$root/releases/$(printf '%s\n%s' "$PACKAGE_SHA256" "$settings" | sha256sum | head -c 12)
mkdir -p "$root/packages" "$root/bundles" "$root/releases"
# One run at a time; a second one waits for the first.
exec 9>"$root/lock"
flock 9

# A folder is whole once it has its mark; half of one, of a run that was cut off, is made again.
if ! [ -e "$server/.whole" ]; then
    rm -rf "$server"
    python3.11 -m venv "$server"
    "$server/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --only-binary :all: --require-hashes --requirement "$package/requirements.txt"
    "$server/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps "$package"/leeway_serving-*.whl
    touch "$server/.whole"
fi
if ! [ -e "$bundle" ]; then
    rm -rf "$bundle.new"
    mkdir "$bundle.new"
    curl --fail --silent --show-error --location --retry 5 --output "$bundle.new/archive" "$BUNDLE_URL"
    mkdir "$bundle.new/files"
    tar --extract --gzip --no-same-owner --no-same-permissions --file "$bundle.new/archive" --directory "$bundle.new/files"
    # By the server's own code: digest, every file's hash, the graph, and the requests whose answers are known.
    ORT_DISABLE_TELEMETRY=1 as_server "$server/bin/python" - "$bundle.new/files" "$BUNDLE_DIGEST" <"$package/verify_bundle.py" \
        || { rm -rf "$bundle.new"; fail "$BUNDLE_URL is not served; what served goes on"; }
    mv "$bundle.new/files" "$bundle"
    rm -rf "$bundle.new"
fi
mkdir -p "$release"
printf '%s\n' "$settings" >"$release/server.env"
ln -sfn "$server" "$release/server"
ln -sfn "$bundle" "$release/bundle"
for unit in $units; do install -m 0644 "$package/$unit" "$release/$unit"; done

before=$(readlink "$root/current" || true) # no link yet: the first release
if [ "$before" = "$release" ] && systemctl --quiet is-active leeway-server.service; then
    echo "install: $MODEL_NAME is served as told already"
    exit 0
fi

# Serves a release: its units, and the one link that they read everything else through, which moves in one step.
# Ends when the server is ready, since its unit asks for that itself.
serve() {
    for unit in $units; do install -m 0644 "$1/$unit" "/etc/systemd/system/$unit" || return; done
    ln -sfn "$1" "$root/current.new" && mv -T "$root/current.new" "$root/current" && systemctl daemon-reload || return
    # Starts that a person asks for do not count as starts that failed; one that never ran has nothing to forget.
    systemctl reset-failed leeway-server.service 2>/dev/null || true
    systemctl restart leeway-server.service
}
if ! serve "$release"; then
    journalctl --unit leeway-server.service --lines 20 --no-pager --output cat >&2
    [ -n "$before" ] && [ "$before" != "$release" ] || fail "the server does not get ready; its log is above"
    serve "$before" || fail "neither the new server nor the one before gets ready; the log of the new one is above"
    fail "the new server does not get ready; its log is above; what served before serves again"
fi
systemctl --quiet enable leeway-server.service
systemctl --quiet enable --now leeway-server-health.timer

# The release before this one stays, for a way back; what neither of them uses goes.
for folder in "$root"/releases/* "$root"/packages/* "$root"/bundles/*; do
    used=
    for kept in "$release" "$before"; do
        [ -n "$kept" ] && case "$folder" in "$kept" | "$(readlink "$kept/server")" | "$(readlink "$kept/bundle")") used=1 ;; esac
    done
    [ -n "$used" ] || rm -rf "$folder"
done
echo "install: $MODEL_NAME is served on $LISTEN:8080, bundle $BUNDLE_DIGEST"
