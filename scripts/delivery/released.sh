#!/usr/bin/env bash
# Fails unless the tag $1 ("v1.2.3") is the version of the chart, of its images and of CHANGELOG.md: what is published
# under a version is written down under it.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:?expected a tag such as v1.2.3}
version=${version#v}
fail() { echo "released: $1" >&2; exit 1; }
for field in version appVersion; do
    grep -qx "$field: $version" charts/leeway/Chart.yaml || fail "charts/leeway/Chart.yaml: expected $field: $version"
done
for file in operators/pyproject.toml drift-detector/pyproject.toml model/serving/pyproject.toml model/training/pyproject.toml; do
    grep -qx "version = \"$version\"" "$file" || fail "$file: expected version = \"$version\""
done
grep -q "^## $version " CHANGELOG.md || fail "CHANGELOG.md: expected a section '## $version (date)'"
