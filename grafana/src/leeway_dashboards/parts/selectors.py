"""Which series a panel reads, by the labels that each component's series have, and the dashboards' variables.

Variables are always matched with `=~`: Grafana writes several chosen values, and All, as one alternation.
"""

MODEL = 'namespace=~"$namespace",model=~"$model"'
"""Series of the operator and the detector, and what is recorded per model."""

VERSION = f'{MODEL},version=~"$version"'
"""Series of the detector that are about one version."""

SERVED_MODEL = 'namespace=~"$namespace",leeway_dev_model=~"$model"'
"""Series of model servers; by the labels of the pod, since what is compared cannot name itself."""

SERVED = f'{SERVED_MODEL},leeway_dev_version=~"$version"'
"""The same of chosen versions."""

PODS = 'namespace=~"$namespace",pod=~"($model)-[ab]-predictor-.*"'
"""Series of the kubelet and of kube-state-metrics about pods of model servers."""

GATEWAY = 'envoy_cluster_name=~"httproute/($namespace)/($model)/rule/.*"'
"""Series of Envoy about what it sent to pods of a model; it names clusters after routes."""

SUCCEEDED = 'code=~"2.."'
"""Answers with a prediction."""

FAULTS = 'code=~"5.."'
"""Answers that are the server's own fault."""
