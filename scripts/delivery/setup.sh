#!/usr/bin/env bash
# Everything that developing needs, into the cache and the packages' own environments: nothing of the machine is changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
"$LEEWAY_UV" sync --quiet --frozen
git ls-files '*/uv.lock' | while read -r lock; do
    echo "== $(dirname "$lock")"
    (cd "$(dirname "$lock")" && "$LEEWAY_UV" sync --quiet --frozen --all-extras)
done
make tools
