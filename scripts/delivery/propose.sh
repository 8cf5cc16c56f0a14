#!/usr/bin/env bash
# Opens a pull request for what `make publish-model` wrote to deploy/models-dev.yaml: model $1, version $2. Merged, it is a
# release to dev. GITHUB_TOKEN may push branches and open pull requests.
set -euo pipefail
cd "$(dirname "$0")/../.."
title="Release $1 $2 to dev" branch="model/$1-$2"
git switch --quiet --create "$branch"
git -c user.name="${GITHUB_ACTOR:?}" -c user.email="$GITHUB_ACTOR@users.noreply.github.com" \
    commit --quiet --message "$title" -- deploy/models-dev.yaml
# The token goes by the environment: arguments of a process are everybody's to read.
# shellcheck disable=SC2016 # git's shell expands it
git -c credential.helper='!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f' \
    push --quiet "https://github.com/${GITHUB_REPOSITORY:?}" "$branch"
python3 - "$title" "$branch" build/model/MODEL_CARD.md <<'PYTHON' | curl --silent --show-error --fail \
    --header @<(echo "Authorization: Bearer ${GITHUB_TOKEN:?}") --header 'Accept: application/vnd.github+json' \
    --data @- "${GITHUB_API_URL:?}/repos/$GITHUB_REPOSITORY/pulls" >/dev/null
import json
import sys

title, branch, card = sys.argv[1:]
print(json.dumps({"title": title, "head": branch, "base": "main", "body": open(card, encoding="utf-8").read()}))
PYTHON
echo "$title: proposed from $branch"
