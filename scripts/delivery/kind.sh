#!/usr/bin/env bash
# The chart on kind, with images that Docker builds: the last release out of REGISTRY, or while no tag says that there is
# one, chart 0.1.0 as it is kept, with this checkout's images, since its own were not published; then this checkout's over
# it, and `helm test` after each. build/model holds the bundle (make train).
set -euo pipefail
cd "$(dirname "$0")/../.."
for program in docker kind helm kubectl; do
    command -v "$program" >/dev/null || { echo "kind: $program is not on PATH" >&2; exit 1; }
done
[ -f build/model/manifest.json ] || { echo "kind: no bundle in build/model; make train writes it" >&2; exit 1; }
work=$(mktemp -d)
finish() {
    status=$?
    if [ "$status" != 0 ]; then
        mkdir -p build/kind
        kubectl get pods,modelrollouts,gateways,httproutes,events --all-namespaces --output wide > build/kind/objects.txt || true
        kind export logs build/kind --name leeway || true
    fi
    kind delete cluster --name leeway
    rm -rf "$work"
    exit "$status"
}

kind create cluster --name leeway --wait 5m
trap finish EXIT

make prerequisites CONTEXT=kind-leeway

tag=$(sed -n 's/^appVersion: //p' charts/leeway/Chart.yaml)
while read -r name file target; do
    docker build --quiet --tag "leeway/$name:$tag" --file "$file" ${target:+--target "$target"} .
    kind load docker-image "leeway/$name:$tag" --name leeway
done <<'IMAGES'
onnx-server model/serving/Containerfile
operators operators/Containerfile
drift-detector-native drift-detector/Containerfile native
IMAGES
# KServe brings the command of a model's image; a shell and the bundle under /models are all that has to be in it.
printf 'FROM docker.io/library/busybox:1.37\nCOPY . /models\n' | docker build --quiet --tag leeway/model-flights:e2e --file - build/model
kind load docker-image leeway/model-flights:e2e --name leeway

read -r model_version digest < <(cd scripts && "$LEEWAY_UV" run --quiet --frozen python -c \
    'from pathlib import Path; from images.build import bundle_identity; print(*bundle_identity(Path("../build/model")))')
cat > "$work/values.yaml" <<YAML
models:
  flights:
    model: {storageUri: "oci://docker.io/leeway/model-flights:e2e", version: "$model_version", digest: "$digest"}
    hostnames: [flights.leeway.internal]
YAML

install() { # from the chart $1
    helm upgrade --install leeway "$@" --namespace leeway --create-namespace --values deploy/values-minikube.yaml \
        --values "$work/values.yaml" --wait --timeout 10m
    scripts/delivery/health.sh
}
# Before this commit: a tag on it is of what is to be released, and not published yet.
released=$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || true) # no tag yet: no release
if [ -n "$released" ]; then
    install "oci://${REGISTRY:?}/charts/leeway" --version "${released#v}" --set images.registry="$REGISTRY"
else
    echo "kind: no tag v*: the upgrade is from chart 0.1.0, with the images of $tag"
    install tests/chart/fixtures/leeway-0.1.0.tgz --set "images.onnxServer.tag=$tag" --set "images.operators.tag=$tag" \
        --set "images.driftDetectorNative.tag=$tag"
fi
install charts/leeway
