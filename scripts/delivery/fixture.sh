#!/usr/bin/env bash
# Keeps the chart of the commit $1 as what a later one is upgraded from: tests/chart/fixtures/leeway-<version>.tgz, and its
# SHA-256 beside it. The same commit gives the same bytes, which `helm package` does not.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=${1:?expected a commit whose charts/leeway is to be kept}
folder=tests/chart/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git archive "$commit" charts/leeway | tar --extract --directory "$work"
version=$(sed -n 's/^version: //p' "$work/charts/leeway/Chart.yaml")
name=leeway-${version:?"no version in charts/leeway/Chart.yaml of $commit"}.tgz
mkdir -p "$folder"
tar --create --directory "$work/charts" --sort=name --format=ustar --mode=u=rwX,go=rX --owner=0 --group=0 --numeric-owner \
    --mtime="@$(git log -1 --format=%ct "$commit")" leeway | gzip --no-name --best > "$folder/$name"
(cd "$folder" && sha256sum "$name" | tee "$name.sha256")
