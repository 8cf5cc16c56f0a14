#!/bin/sh
# The end-to-end story on the built-in cluster, or the files of it that are given, as arguments of pytest. A cluster that
# was up before stays up; one made here is taken down. BESIDE is a target of the Makefile that is made meanwhile: the
# stories mostly wait.
set -eu
cd "$(dirname "$0")/.."
was_up=0
make status >/dev/null 2>&1 && was_up=1
make up
make images
status=0
beside=
if [ -n "${BESIDE:-}" ]; then
    log="build/tests/$BESIDE.log"
    echo "$BESIDE goes on meanwhile: tail -f $log"
    nice make "$BESIDE" >"$log" 2>&1 &
    beside=$!
fi
[ $# -gt 0 ] || set -- --junitxml=build/tests/e2e.xml tests/e2e
"$LEEWAY_UV" run --frozen pytest "$@" || status=$?
if [ -n "$beside" ] && ! wait "$beside"; then
    cat "$log"
    status=1
fi
if [ "$status" = 0 ]; then
    if [ "$was_up" = 1 ]; then make up; else make down; fi
fi
exit "$status"
