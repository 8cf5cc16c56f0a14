#!/usr/bin/env bash
# Fails unless Leeway on the cluster of the current context serves: its pods run, each model's stable version is ready,
# and `helm test` gets an answer from each through the Gateway.
set -euo pipefail
namespace=${NAMESPACE:-leeway}
for deployment in $(kubectl get deployments --namespace "$namespace" --selector app.kubernetes.io/instance=leeway --output name); do
    kubectl rollout status "$deployment" --namespace "$namespace" --timeout 5m
done
models=$(kubectl get modelrollouts --namespace "$namespace" --output name)
if [ -n "$models" ]; then
    # shellcheck disable=SC2086 # a name per word
    kubectl wait $models --namespace "$namespace" --for condition=Ready --timeout 5m
else
    echo "health-check: no models in namespace $namespace"
fi
helm test leeway --namespace "$namespace" --logs
