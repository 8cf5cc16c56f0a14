################################################################################
# Certificates
################################################################################

resource "helm_release" "cert_manager" {
  count = var.install && var.parts.cert_manager ? 1 : 0

  name             = "cert-manager"
  namespace        = local.releases.cert-manager.namespace
  create_namespace = true
  chart            = local.releases.cert-manager.chart
  version          = local.releases.cert-manager.version
  values           = local.releases.cert-manager.values
  timeout          = var.timeout_seconds
  max_history      = 5
}

################################################################################
# Monitoring: before what is monitored, which asks whether the kinds are there
################################################################################

resource "helm_release" "monitoring" {
  count = var.install && var.parts.monitoring ? 1 : 0

  name             = "kube-prometheus-stack"
  namespace        = local.releases.kube-prometheus-stack.namespace
  create_namespace = true
  chart            = local.releases.kube-prometheus-stack.chart
  version          = local.releases.kube-prometheus-stack.version
  values           = local.releases.kube-prometheus-stack.values
  timeout          = var.timeout_seconds
  max_history      = 5
}

# The custom metrics API, with a certificate of cert-manager's.
resource "helm_release" "prometheus_adapter" {
  count = var.install && local.parts.prometheus_adapter ? 1 : 0

  name             = "prometheus-adapter"
  namespace        = local.releases.prometheus-adapter.namespace
  create_namespace = true
  chart            = local.releases.prometheus-adapter.chart
  version          = local.releases.prometheus-adapter.version
  values           = local.releases.prometheus-adapter.values
  timeout          = var.timeout_seconds
  max_history      = 5

  depends_on = [helm_release.cert_manager, helm_release.monitoring]
}

################################################################################
# Traffic
################################################################################

# With the kinds that the chart brings. Its sister gateway-crds-helm, which would also update them, cannot be a release:
# with all its definitions it is 2.2 MB, and a release has to fit into a Secret of 1 MiB.
resource "helm_release" "envoy_gateway" {
  count = var.install && var.parts.envoy_gateway ? 1 : 0

  name             = "envoy-gateway"
  namespace        = local.releases.envoy-gateway.namespace
  create_namespace = true
  chart            = local.releases.envoy-gateway.chart
  version          = local.releases.envoy-gateway.version
  values           = local.releases.envoy-gateway.values
  timeout          = var.timeout_seconds
  max_history      = 5
}

################################################################################
# KServe
################################################################################

resource "helm_release" "kserve_crd" {
  count = var.install && var.parts.kserve ? 1 : 0

  name             = "kserve-crd"
  namespace        = local.releases.kserve-crd.namespace
  create_namespace = true
  chart            = local.releases.kserve-crd.chart
  version          = local.releases.kserve-crd.version
  values           = local.releases.kserve-crd.values
  timeout          = var.timeout_seconds
  max_history      = 5
}

resource "helm_release" "kserve" {
  count = var.install && var.parts.kserve ? 1 : 0

  name             = "kserve"
  namespace        = local.releases.kserve.namespace
  create_namespace = true
  chart            = local.releases.kserve.chart
  version          = local.releases.kserve.version
  values           = local.releases.kserve.values
  timeout          = var.timeout_seconds
  max_history      = 5

  # Its certificate, and the kinds that it serves.
  depends_on = [helm_release.cert_manager, helm_release.kserve_crd]
}

################################################################################
# Leeway
################################################################################

# What no chart of the parts brings: the GatewayClass, and Leeway's namespace with its PodSecurity labels.
resource "helm_release" "cluster" {
  count = var.install && (var.parts.leeway || var.parts.envoy_gateway) ? 1 : 0

  name      = "leeway-cluster"
  namespace = "default"
  chart     = "${path.module}/charts/cluster"
  timeout   = var.timeout_seconds
  # A version more is nothing to roll back to.
  max_history = 1

  values = [yamlencode({ objects = local.objects })]

  depends_on = [helm_release.envoy_gateway]
}

# On the way back: the models go after Leeway's release, and KServe has to take its own marks (finalizers) off each of
# them; were it gone by then, they would stay for ever, and their kinds with them.
resource "terraform_data" "models_are_gone" {
  count = var.install && var.parts.leeway ? 1 : 0

  provisioner "local-exec" {
    when    = destroy
    command = "sleep 30"
  }

  depends_on = [
    helm_release.cert_manager, helm_release.cluster, helm_release.kserve, helm_release.monitoring, helm_release.prometheus_adapter,
  ]
}

resource "helm_release" "leeway" {
  count = var.install && var.parts.leeway ? 1 : 0

  name        = "leeway"
  namespace   = local.releases.leeway.namespace
  chart       = local.releases.leeway.chart
  version     = local.releases.leeway.version
  values      = local.releases.leeway.values
  timeout     = var.timeout_seconds
  max_history = 10

  # All that its chart looks for before it installs anything; destroyed before any of it.
  depends_on = [terraform_data.models_are_gone]
}
