#!/bin/sh
# Serves the flights model on http://127.0.0.1:8080 without Kubernetes and without root, until interrupted;
# trains it first if the sources have changed since.
set -eu
cd "$(dirname "$0")"
bundle=$("$LEEWAY_UV" run --quiet --frozen python -m cluster bundle)
cd ../model/serving
exec "$LEEWAY_UV" run --frozen --no-dev leeway-serve --model-name flights --model-dir "$bundle" \
    --host 127.0.0.1 --http-port 8080 --metrics-port 8082
