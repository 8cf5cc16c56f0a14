#!/usr/bin/env bash
# Prints, as outputs of a workflow's step, in which environments the models have changed since the commit $1, and the
# release that runs there: environments=["dev","prod"], release=1.2.3; no release if nothing was released yet.
set -euo pipefail
cd "$(dirname "$0")/../.."
before=${1:?expected the commit to compare with}
git cat-file -e "$before^{commit}" 2>/dev/null || before=HEAD^ # the first push of a branch names none
changed=()
for environment in dev staging prod; do
    git diff --quiet "$before" HEAD -- "deploy/models-$environment.yaml" || changed+=("\"$environment\"")
done
release=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true) # no tag yet: no release
echo "environments=[$(IFS=,; echo "${changed[*]}")]"
echo "release=${release#v}"
