#!/usr/bin/env bash
# Trains the flights model as version $1 into build/model; fails if it does not pass its gate. In a workflow the card is
# its summary.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:?expected the version of the model}
rm -rf build/model
(cd model/training && "$LEEWAY_UV" run --quiet --frozen --no-dev --extra examples leeway-train --version "$version" --output ../../build/model)
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat build/model/MODEL_CARD.md >> "$GITHUB_STEP_SUMMARY"; fi
