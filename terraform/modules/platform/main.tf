locals {
  # The name that kube-prometheus-stack gives its Prometheus, in a release of the chart's own name.
  prometheus_url = var.parts.monitoring ? "http://kube-prometheus-stack-prometheus.monitoring.svc:9090" : var.prometheus_url

  # Alert rules of the cluster itself are for who runs the cluster; on a small one they cost more than they tell.
  cluster_rules = !var.small

  # A chart in a folder has the version that lies there.
  versions = {
    cert_manager          = startswith(var.charts.cert_manager, "oci://") ? var.versions.cert_manager : null
    kube_prometheus_stack = startswith(var.charts.kube_prometheus_stack, "oci://") ? var.versions.kube_prometheus_stack : null
    envoy_gateway         = startswith(var.charts.envoy_gateway, "oci://") ? var.versions.envoy_gateway : null
    kserve_crd            = startswith(var.charts.kserve_crd, "oci://") ? var.versions.kserve : null
    kserve                = startswith(var.charts.kserve, "oci://") ? var.versions.kserve : null
    leeway                = startswith(var.charts.leeway, "oci://") ? var.versions.leeway : null
  }

  detector_backend = var.small ? "native" : var.detector_backend
}

################################################################################
# Certificates
################################################################################

resource "helm_release" "cert_manager" {
  count = var.parts.cert_manager ? 1 : 0

  name             = "cert-manager"
  namespace        = "cert-manager"
  create_namespace = true
  chart            = var.charts.cert_manager
  version          = local.versions.cert_manager
  timeout          = var.timeout_seconds
  max_history      = 5

  values = compact([yamlencode({
    crds = { enabled = true }
    # A secret goes with its certificate, so that an uninstalled release leaves none.
    enableCertificateOwnerRef = true
  }), var.values.cert_manager])
}

################################################################################
# Monitoring: before what is monitored, which asks whether the kinds are there
################################################################################

resource "helm_release" "monitoring" {
  count = var.parts.monitoring ? 1 : 0

  name             = "kube-prometheus-stack"
  namespace        = "monitoring"
  create_namespace = true
  chart            = var.charts.kube_prometheus_stack
  version          = local.versions.kube_prometheus_stack
  timeout          = var.timeout_seconds
  max_history      = 5

  values = compact([yamlencode({
    defaultRules = { create = local.cluster_rules }
    prometheus = {
      prometheusSpec = {
        retention = "${var.monitoring.retention_days}d"
        # Room for the write-ahead log and for compaction beside the blocks.
        retentionSize = "${floor(var.monitoring.disk_gb * 0.8 * 1000)}MB"
        # What any release asks for, not only this one's.
        podMonitorSelectorNilUsesHelmValues     = false
        serviceMonitorSelectorNilUsesHelmValues = false
        ruleSelectorNilUsesHelmValues           = false
        probeSelectorNilUsesHelmValues          = false
        scrapeConfigSelectorNilUsesHelmValues   = false
        storageSpec = {
          volumeClaimTemplate = {
            spec = {
              accessModes = ["ReadWriteOnce"]
              resources   = { requests = { storage = "${var.monitoring.disk_gb}Gi" } }
            }
          }
        }
      }
    }
    grafana = {
      enabled = var.monitoring.grafana_admin_secret != ""
      admin   = { existingSecret = var.monitoring.grafana_admin_secret }
      # Dashboards of any release, in the folder that each names.
      sidecar = {
        dashboards = { searchNamespace = "ALL", folderAnnotation = "grafana_folder", provider = { foldersFromFilesStructure = true } }
      }
    }
  }), var.values.kube_prometheus_stack])
}

################################################################################
# Traffic
################################################################################

# With the kinds that the chart brings. Its sister gateway-crds-helm, which would also update them, cannot be a release:
# with all its definitions it is 2.2 MB, and a release has to fit into a Secret of 1 MiB.
resource "helm_release" "envoy_gateway" {
  count = var.parts.envoy_gateway ? 1 : 0

  name             = "envoy-gateway"
  namespace        = "envoy-gateway-system"
  create_namespace = true
  chart            = var.charts.envoy_gateway
  version          = local.versions.envoy_gateway
  timeout          = var.timeout_seconds
  max_history      = 5

  values = compact([yamlencode({
    deployment = { envoyGateway = { resources = { requests = { cpu = "50m", memory = "128Mi" }, limits = { memory = "1024Mi" } } } }
  }), var.values.envoy_gateway])
}

################################################################################
# KServe
################################################################################

resource "helm_release" "kserve_crd" {
  count = var.parts.kserve ? 1 : 0

  name             = "kserve-crd"
  namespace        = "kserve"
  create_namespace = true
  chart            = var.small ? replace(var.charts.kserve_crd, "/kserve-crd$/", "kserve-crd-minimal") : var.charts.kserve_crd
  version          = local.versions.kserve_crd
  timeout          = var.timeout_seconds
  max_history      = 5
}

resource "helm_release" "kserve" {
  count = var.parts.kserve ? 1 : 0

  name             = "kserve"
  namespace        = "kserve"
  create_namespace = true
  chart            = var.charts.kserve
  version          = local.versions.kserve
  timeout          = var.timeout_seconds
  max_history      = 5

  values = compact([yamlencode({
    kserve = {
      controller = {
        deploymentMode  = "Standard"
        imagePullPolicy = "IfNotPresent"
        # At the chart's limit of 100m it takes a minute to start.
        resources = { requests = { cpu = "50m", memory = "128Mi" }, limits = { cpu = "1", memory = "512Mi" } }
        gateway   = { disableIstioVirtualHost = true }
      }
      # For an InferenceService that says nothing itself; the chart's 2 GiB each would fill a node with two models.
      inferenceservice = {
        resources = { requests = { cpu = "50m", memory = "128Mi" }, limits = { cpu = "1", memory = "512Mi" } }
      }
    }
  }), var.values.kserve])

  # Its certificate, and the kinds that it serves.
  depends_on = [helm_release.cert_manager, helm_release.kserve_crd]
}

################################################################################
# Leeway
################################################################################

# What no chart of the parts brings: the GatewayClass, and Leeway's namespace with its PodSecurity labels.
resource "helm_release" "cluster" {
  count = var.parts.leeway || var.parts.envoy_gateway ? 1 : 0

  name      = "leeway-cluster"
  namespace = "default"
  chart     = "${path.module}/charts/cluster"
  timeout   = var.timeout_seconds
  # A version more is nothing to roll back to.
  max_history = 1

  values = [yamlencode({
    gatewayClass = var.parts.envoy_gateway ? "envoy" : ""
    namespace    = var.parts.leeway ? var.namespace : ""
  })]

  depends_on = [helm_release.envoy_gateway]
}

resource "helm_release" "leeway" {
  count = var.parts.leeway ? 1 : 0

  name        = "leeway"
  namespace   = var.namespace
  chart       = var.charts.leeway
  version     = local.versions.leeway
  timeout     = var.timeout_seconds
  max_history = 10

  values = compact([yamlencode({
    operator      = { prometheus = { url = local.prometheus_url } }
    driftDetector = { backend = local.detector_backend }
    gateway = {
      hostname                  = var.hostname
      infrastructureAnnotations = var.gateway.annotations
      envoy                     = { serviceType = var.gateway.service_type }
    }
  }), var.values.leeway])

  # All that its chart looks for before it installs anything; destroyed before any of it.
  depends_on = [helm_release.cert_manager, helm_release.cluster, helm_release.kserve, helm_release.monitoring]
}
