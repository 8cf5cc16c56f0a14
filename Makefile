SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --warn-undefined-variables --no-print-directory

# A second cluster beside the first: make up CLUSTER=other
CLUSTER ?= leeway
export CLUSTER
# The system's Python 3.11 is used as it is; nothing may fetch another.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := 3.11
# onnxruntime reports its use over the network unless told not to.
export ORT_DISABLE_TELEMETRY := 1
LEEWAY_UV = $(shell scripts/bootstrap.sh)
export LEEWAY_UV

# A project of its own, since the SDK it tests with does not resolve together with the server.
CONFORMANCE := model/serving/conformance
# The model server with a fault that a test asks for: of no image that is shipped.
FAULTS := tests/faults
PACKAGES := model/training model/serving drift-detector drift-detector/alibi operators grafana
cluster = cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m cluster
images = cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m images
supply = cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group supply python -m supply

##@ The whole way
up: ## Build what is missing, start the cluster, install Leeway; PROFILE=small; CONTEXT=name is a cluster that is there
	@$(cluster) up
prerequisites: ## What Leeway stands on, as far as a cluster has not got it: make prerequisites CONTEXT=name
	@$(cluster) prerequisites
test: ## Everything: check, then the end-to-end story on the built-in cluster; ends with the counts
	@rm -rf build/tests && mkdir -p build/tests
	@echo "programs and images are built meanwhile: tail -f build/tests/build.log"
	@# The trap: checks that fail leave nobody building. A build that is over cannot be ended, which is no failure.
	@nice $(MAKE) build terraform-program images >build/tests/build.log 2>&1 & building=$$!; trap 'kill $$building 2>/dev/null || true' EXIT; \
	$(MAKE) check; wait $$building || { cat build/tests/build.log; exit 1; }
	@BESIDE=terraform-apply $(MAKE) e2e
	@python3 scripts/summary.py build/tests

##@ The cluster
build: ## Build all that make up starts from: programs, images, the model; without a cluster
	@$(cluster) build
status: ## One screen: cluster, models, versions, weights, pods
	@$(cluster) status
monitoring: ## Prometheus and Alertmanager (and Grafana, if there is one) on ports of this machine, until Ctrl-C
	@$(cluster) monitoring
VERIFY ?=
INJECT ?= all
verify: ## All that alerts, dashboards, gates read is there, and each alert reaches Slack (a stub); INJECT=none only reads
	@lines="$$($(cluster) env)"; eval "$$lines"; cd operators && "$$LEEWAY_UV" run --quiet --frozen leeway-verify --namespace leeway --release leeway --patience 300 $(VERIFY)
	@[[ "$(INJECT)" = none ]] || { cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m drill.alerts $(INJECT); }
ALERT ?=
drill: ## Make an alert fire for real, show its message and its runbook, clean up: make drill ALERT=DriftAbrupt; none lists
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m drill.alerts $(ALERT)
env: ## Shell lines for kubectl, helm and kubectl leeway: eval "$$(make -s env)"
	@$(cluster) env
ARCHIVE ?=
load: ## Give the node an image: make load ARCHIVE=FILE
	@$(cluster) load "$(abspath $(ARCHIVE))"
FAULT ?= celsius
demo-drift: ## Replay real flights with a fault and see who notices: make demo-drift FAULT=swap
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group drill python -m drill "$(FAULT)"
bench-path: ## What capture costs a prediction, over HTTPS on the cluster and without it; five minutes
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m bench.path "$$("$$LEEWAY_UV" run --quiet --frozen python -m cluster bundle)"
REMOVE ?=
node: ## Have a second node join the cluster; REMOVE=1 drains it and takes it away (docs/scaling.md)
	@REMOVE="$(REMOVE)"; export REMOVE; $(cluster) node
down: ## Stop the cluster and leave nothing of it
	@$(cluster) down
clean: ## Stop every cluster and remove all that is cached
	@$(cluster) clean

##@ Rollouts
simulate: ## What the tests keep to, beside Flagger, a peeked z test and GrowthBook, into docs/simulation.md; some minutes
	@cd operators && OMP_NUM_THREADS=1 "$$LEEWAY_UV" run --quiet --frozen python -m leeway_operators.simulate.table ../docs/simulation.md
# Of this target alone: that of up and build, which they read themselves, is another.
load-test: PROFILE ?= steady
RATE ?= 50
SECONDS ?= 60
load-test: ## Real flights over HTTPS against an objective: make load-test PROFILE=burst RATE=50 SECONDS=60
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group load python -m load --profile "$(PROFILE)" --rate "$(RATE)" --seconds "$(SECONDS)"
BAD ?= errors
demo-rollout: ## A good version, then a bad one, under load, told as it happens: make demo-rollout BAD=flipped
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group load python -m rollouts demo "$(BAD)"
transcript: ## The bad version alone, as two terminals see it, into the README: make transcript BAD=errors
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group load python -m rollouts transcript "$(BAD)"
CASES ?=
prove: ## Good and faulty rollouts on the cluster into docs/prove.md; hours, goes on where it ended (build/prove)
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m rollouts prove $(CASES)

##@ Dashboards
dashboards: ## Generate Grafana's dashboards anew, into the chart
	@cd grafana && "$$LEEWAY_UV" run --quiet --frozen leeway-dashboards write ../charts/leeway/files/dashboards
# A URL, or namespace/service:port in the cluster: make dashboards-check PROMETHEUS=http://127.0.0.1:9090
PROMETHEUS ?= monitoring/prometheus:9090
HOURS ?= 6
with_prometheus = { [[ "$(PROMETHEUS)" == http* ]] || eval "$$($(MAKE) -s env)"; } && cd grafana && "$$LEEWAY_UV" run --quiet --frozen leeway-dashboards
dashboards-check: ## Ask a running Prometheus every query of the dashboards; fails for each that gives no data
	@$(with_prometheus) check "$(PROMETHEUS)" --hours "$(HOURS)"
MODEL ?= flights
dashboards-draw: ## Draw each dashboard from a running Prometheus, into docs/dashboards: make dashboards-draw MODEL=flights HOURS=1
	@$(with_prometheus) draw "$(PROMETHEUS)" ../docs/dashboards --hours "$(HOURS)" --model "$(MODEL)"

##@ Without a cluster
setup: ## What developing needs: uv, each package's environment, helm and kubectl
	@scripts/delivery/setup.sh
dev: serve ## As serve
serve: ## Train if needed and serve the flights model on http://127.0.0.1:8080
	@scripts/serve.sh
compose-test: ## docker-compose.yml in containers, by podman from Debian's packages; needs root, and make train before; two minutes
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group compose python -m compose
logs-check: ## Every line of the cluster's pods through a Collector into a real Loki, and the queries of docs/logs.md; after make up
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m logs
images: ## Build the images and print their sizes
	@$(images) build
tools: ## Fetch helm and kubectl
	@$(cluster) tools

bench-tracing: ## What traces cost a request of the model server: off, and at three ratios
	@cd model/serving && OMP_NUM_THREADS=1 "$$LEEWAY_UV" run --quiet --frozen python ../../scripts/bench/tracing.py
bench-drift: ## How fast events are taken in, and a window judged: counts, Alibi-Detect and scipy side by side
	@cd drift-detector && OMP_NUM_THREADS=1 "$$LEEWAY_UV" run --quiet --frozen --all-extras python ../scripts/bench/ingest.py
	@cd drift-detector/alibi && OMP_NUM_THREADS=1 "$$LEEWAY_UV" run --quiet --frozen python ../../scripts/bench/drift.py
bench-metrics: ## Series, memory and rules of 50 models x 3 versions x 100 features in a real Prometheus; some twenty minutes
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m bench.cardinality

##@ Supply chain and delivery
supply-chain: ## SBOMs and licences of the images, signatures made and verified, secrets in the history; into build/supply-chain
	@$(supply) sign
	@$(supply) secrets
ENVIRONMENT ?= dev
VERIFIED ?=
deploy: ## Install or upgrade on the current kube context: make deploy ENVIRONMENT=staging VERIFIED=build/supply-chain/verified
	@ENVIRONMENT="$(ENVIRONMENT)" VERIFIED="$(VERIFIED)" scripts/delivery/deploy.sh
REVISION ?= 0
rollback: ## Back to the release before, or to REVISION, on the current kube context; the traffic is back within seconds
	@helm rollback leeway "$(REVISION)" --namespace "$${NAMESPACE:-leeway}" --wait --timeout 10m
health-check: ## Pods, models and one real answer from each, on the current kube context
	@scripts/delivery/health.sh
kind: ## The chart on kind, upgraded from the last release; needs Docker, kind, helm and kubectl, and make train before
	@scripts/delivery/kind.sh
FROM ?= dev
TO ?= staging
promote: ## Have an environment run the bundle that another runs, as one commit: make promote MODEL=flights FROM=dev TO=staging
	@message="$$($(supply) promote "$(MODEL)" "$(FROM)" "$(TO)")" && git commit --quiet --message "$$message" -- "deploy/models-$(TO).yaml" && echo "$$message"
TRAIN_VERSION ?= 1.0.0
train: ## Train the flights model, hold it to its gate, and write bundle and card to build/model: make train TRAIN_VERSION=1.1.0
	@scripts/delivery/train.sh "$(TRAIN_VERSION)"
# Where a release lies, and the workflow that must have signed it, by whose word (docs/supply-chain.md).
REGISTRY ?= ghcr.io/leeway-dev
IDENTITY ?= ^https://github\.com/leeway-dev/leeway/\.github/workflows/
ISSUER ?= https://token.actions.githubusercontent.com
export REGISTRY IDENTITY ISSUER
released = --registry "$$REGISTRY" --identity "$$IDENTITY" --issuer "$$ISSUER"
registry-login: ## Log in to REGISTRY as REGISTRY_USER with REGISTRY_PASSWORD, both of the environment
	@$(supply) login --registry "$$REGISTRY"
publish: ## Push images and chart, sign them as the workflow that runs this, verify; needs its OIDC token
	@$(supply) publish $(released)
publish-model: ## Push the bundle in build/model, sign it, and release it to dev: make publish-model MODEL=flights
	@$(supply) publish-model "$(MODEL)" "$(CURDIR)/build/model" dev $(released)
RELEASE ?= 0.2.0
verify-release: ## Who signed what a version needs, and its digests into build/supply-chain/verified: make verify-release RELEASE=0.2.0
	@$(supply) verify "$(RELEASE)" $(released)
VALUES ?=
values_files = $(foreach file,$(VALUES),--values "$(abspath $(file))")
manifests: ## What kubectl applies in the place of Helm, into build/manifests: make manifests VALUES="FILE …"
	@$(supply) manifests $(values_files) "$(CURDIR)/build/manifests"
images-list: ## The images that an installation needs, prerequisites included, one a line: make images-list VALUES="FILE …"
	@$(supply) images-list $(values_files)
FOLDER ?= build/images
images-save: ## Images, SBOMs, values and checksums for a site without a way out: make images-save FOLDER=/media/usb
	@$(supply) images-save "$(abspath $(FOLDER))"

##@ Checks
# The suites two at a time, the long ones first; each one's output comes when it is over.
SUITES = unit/operators chart unit/drift-detector unit/model/training rules terraform-check unit/model/serving \
	unit/grafana unit/drift-detector/alibi unit/scripts unit/$(CONFORMANCE) unit/$(FAULTS)
check: lint types tools ## Lint, types, unit, contract, chart, rule and Terraform tests; a few minutes, no cluster
	@$(MAKE) --jobs=2 --output-sync=target $(SUITES)
actionlint = cd scripts && "$$LEEWAY_UV" run --quiet --frozen --group supply python -m supply actionlint
conforms = "$$LEEWAY_UV" run --frozen check-jsonschema --quiet --builtin-schema
lint: ## Ruff over everything, the import contracts of each package; scripts, container files, workflows, pipelines
	@"$$LEEWAY_UV" run --frozen ruff check . && "$$LEEWAY_UV" run --frozen ruff format --check .
	@git ls-files '*.sh' | xargs "$$LEEWAY_UV" run --frozen shellcheck
	@git ls-files '*Containerfile' | xargs "$$LEEWAY_UV" run --frozen hadolint --config .hadolint.yaml
	@($(actionlint)) && "$$LEEWAY_UV" run --frozen zizmor --quiet --offline --no-progress .github
	@$(conforms) vendor.dependabot .github/dependabot.yml && $(conforms) vendor.gitlab-ci .gitlab-ci.yml && $(conforms) vendor.compose-spec docker-compose.yml
	@cd ansible && "$$LEEWAY_UV" run --frozen ansible-lint -q
	@for package in $(PACKAGES); do (cd $$package && echo "== import contracts: $$package" && "$$LEEWAY_UV" run --frozen --all-extras lint-imports); done
types: ## mypy --strict in each package's own environment
	@for package in $(PACKAGES) $(CONFORMANCE) $(FAULTS) scripts; do (cd $$package && echo "== types: $$package" && "$$LEEWAY_UV" run --frozen --all-extras mypy); done
unit: $(filter unit/%,$(SUITES)) ## Unit and contract tests of each package
# CI: Hypothesis then draws the same examples every time; `pytest` in a package still searches at random.
unit/%: export CI := true
unit/%:
	@cd $* && echo "== tests: $*" && "$$LEEWAY_UV" run --frozen --all-extras pytest -q --junitxml="$(CURDIR)/build/tests/$(notdir $*).xml"
chart: tools ## Rendered manifests: policy, schemas, one test per value
	@"$$LEEWAY_UV" run --frozen pytest -q --junitxml=build/tests/chart.xml tests/chart tests/delivery
rules: tools ## Alerts: when each fires and what it says, by promtool; whom it reaches, by Alertmanager; runbooks
	@"$$LEEWAY_UV" run --frozen pytest -q --junitxml=build/tests/rules.xml tests/rules tests/alertmanager
terraform-test: terraform-check terraform-apply ## All of terraform/: what needs no cluster, and the platform on one
terraform-check: tools ## terraform/: format, validity, mocked tests, and applies with helm and minikube stood in for
	@"$$LEEWAY_UV" run --frozen pytest -q --junitxml=build/tests/terraform.xml tests/terraform
terraform-program: ## Terraform from PATH, or OpenTofu, built once
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m infrastructure program
terraform-apply: tools ## The platform by Terraform on a cluster of its own: apply, an inference, plan, destroy; builds what is missing
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m infrastructure apply
terraform-schemas: ## Read anew what Terraform's providers take, from the bindings that stand-in.toml lists
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m infrastructure schemas
server-package: ## The model server for a machine without Kubernetes, into build/server, and its SHA-256
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m machine package
ansible-releases: ## Write into ansible/ anew what Terraform tells a virtual machine
	@cd scripts && "$$LEEWAY_UV" run --quiet --frozen python -m machine releases
ansible-test: ## A cluster of one machine by Ansible, a model server by user data: on a Debian booted here; root; ten minutes
	@"$$LEEWAY_UV" run --frozen pytest -q --junitxml=build/tests/ansible.xml tests/ansible
e2e: ## The end-to-end story on the built-in cluster, which it starts if need be
	@scripts/e2e.sh
upgrade-test: export CLUSTER := upgrade
upgrade-test: ## From chart 0.1.0 to this one and back under requests, on a cluster of its own; not part of make test (docs/upgrading.md)
	@scripts/e2e.sh --junitxml=build/upgrade-test.xml tests/e2e/stories_upgrade.py
drain: ## Two nodes, each drained under requests of which none fails; four minutes once a cluster stands (docs/scaling.md)
	@scripts/e2e.sh --junitxml=build/drain.xml tests/e2e/stories_drain.py
e2e-traefik: export CLUSTER := traefik
e2e-traefik: export GATEWAY := traefik
e2e-traefik: ## What another gateway can do: the stories without mirrors, on a cluster of its own with Traefik (docs/gateways.md)
	@scripts/e2e.sh --junitxml=build/e2e-traefik.xml \
		tests/e2e/test_10_inference.py tests/e2e/test_20_release.py tests/e2e/test_80_rollouts.py tests/e2e/stories_without_mirrors.py \
		--deselect=tests/e2e/test_80_rollouts.py::test_a_mirrored_version_answers_nobody_before_it_is_promoted_on_pairs

help: ## This
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {gsub(/\$$\$$/, "$$", $$2); printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up prerequisites build test status node drain verify drill monitoring env load simulate load-test demo-rollout transcript prove demo-drift down clean serve bench-drift bench-tracing bench-metrics bench-path images tools check lint types unit chart rules terraform-test terraform-check terraform-apply terraform-schemas server-package ansible-releases ansible-test e2e e2e-traefik upgrade-test dashboards dashboards-check dashboards-draw setup dev compose-test logs-check deploy rollback health-check kind promote train registry-login publish publish-model verify-release supply-chain manifests images-list images-save help
