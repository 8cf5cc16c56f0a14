#!/usr/bin/env bash
# Prints what CHANGELOG.md says of the tag $1 ("v1.2.3"); fails if it says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:?expected a tag such as v1.2.3}
version=${version#v}
notes=$(awk -v heading="## $version " 'index($0, heading) == 1 {on = 1; next} /^## / {on = 0} on' CHANGELOG.md)
[ -n "$notes" ] || { echo "notes: CHANGELOG.md: expected a section '## $version (date)' that says something" >&2; exit 1; }
echo "$notes"
