#!/bin/sh
# The end-to-end story on the built-in cluster, or the files of it that are given, as arguments of pytest. A cluster that
# was up before stays up; one made here is taken down.
set -eu
cd "$(dirname "$0")/.."
was_up=0
make status >/dev/null 2>&1 && was_up=1
make up
make images
status=0
[ $# -gt 0 ] || set -- --junitxml=build/tests/e2e.xml tests/e2e
"$LEEWAY_UV" run --frozen pytest "$@" || status=$?
if [ "$status" = 0 ]; then
    if [ "$was_up" = 1 ]; then make up; else make down; fi
fi
exit "$status"
