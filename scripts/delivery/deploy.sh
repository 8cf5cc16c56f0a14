#!/usr/bin/env bash
# Installs or upgrades Leeway on the cluster of the current context, with the values of an environment, and goes back by
# itself if that fails. The chart is this checkout's, or with VERIFIED, a folder that `make verify-release` wrote, the one
# that was verified there, with the images that were: by digest, so that nobody can change them in between.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=${ENVIRONMENT:?expected dev, staging, prod or minikube}
values=deploy/values-$environment.yaml
if [ ! -f "$values" ]; then
    known=(deploy/values-*.yaml)
    known=("${known[@]#deploy/values-}")
    echo "deploy: no $values; ENVIRONMENT is one of ${known[*]%.yaml}" >&2
    exit 1
fi
arguments=(--namespace "${NAMESPACE:-leeway}" --create-namespace --values "$values")
models=deploy/models-$environment.yaml
[ -f "$models" ] && arguments+=(--values "$models")
chart=charts/leeway
if [ -n "${VERIFIED:-}" ]; then
    chart=$(cat "$VERIFIED/chart")
    arguments+=(--values "$VERIFIED/values.yaml")
fi
helm upgrade --install leeway "$chart" "${arguments[@]}" --rollback-on-failure --wait --timeout 10m
