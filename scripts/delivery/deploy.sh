#!/usr/bin/env bash
# Installs or upgrades Leeway on the cluster of the current context, with the values of an environment, and goes back by
# itself if that fails. CHART may be a folder, a package or oci://…; VERSION is that of a chart in a
# registry, IMAGE_REGISTRY where its images are.
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
[ -n "${VERSION:-}" ] && arguments+=(--version "$VERSION")
[ -n "${IMAGE_REGISTRY:-}" ] && arguments+=(--set "images.registry=$IMAGE_REGISTRY")
helm upgrade --install leeway "${CHART:-charts/leeway}" "${arguments[@]}" --rollback-on-failure --wait --timeout 10m
