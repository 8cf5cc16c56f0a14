# What each part is installed as, whoever installs it: the resources of this module, or a VM's own cluster.

locals {
  # The name that kube-prometheus-stack gives its Prometheus, in a release of the chart's own name.
  prometheus_url = var.parts.monitoring ? "http://kube-prometheus-stack-prometheus.monitoring.svc:9090" : var.prometheus_url

  # By index, since a condition would turn the bool into text, which the chart's schema refuses.
  watched = ["auto", true][var.parts.monitoring ? 1 : 0]

  parts = merge(var.parts, { prometheus_adapter = var.parts.prometheus_adapter && !var.small })

  every_release = {
    cert-manager = {
      part      = "cert_manager"
      namespace = "cert-manager"
      chart     = var.charts.cert_manager
      version   = var.versions.cert_manager
      values    = compact([yamlencode(local.cert_manager), var.values.cert_manager])
    }
    kube-prometheus-stack = {
      part      = "monitoring"
      namespace = "monitoring"
      chart     = var.charts.kube_prometheus_stack
      version   = var.versions.kube_prometheus_stack
      values    = compact([yamlencode(local.kube_prometheus_stack), var.values.kube_prometheus_stack])
    }
    prometheus-adapter = {
      part      = "prometheus_adapter"
      namespace = "monitoring"
      chart     = var.charts.prometheus_adapter
      version   = var.versions.prometheus_adapter
      values    = compact([yamlencode(local.prometheus_adapter), var.values.prometheus_adapter])
    }
    envoy-gateway = {
      part      = "envoy_gateway"
      namespace = "envoy-gateway-system"
      chart     = var.charts.envoy_gateway
      version   = var.versions.envoy_gateway
      values    = compact([yamlencode(local.envoy_gateway), var.values.envoy_gateway])
    }
    kserve-crd = {
      part      = "kserve"
      namespace = "kserve"
      chart     = var.small ? replace(var.charts.kserve_crd, "/kserve-crd$/", "kserve-crd-minimal") : var.charts.kserve_crd
      version   = var.versions.kserve
      values    = []
    }
    kserve = {
      part      = "kserve"
      namespace = "kserve"
      chart     = var.charts.kserve
      version   = var.versions.kserve
      values    = compact([yamlencode(local.kserve), var.values.kserve])
    }
    leeway = {
      part      = "leeway"
      namespace = var.namespace
      chart     = var.charts.leeway
      version   = var.versions.leeway
      values    = compact([yamlencode(local.leeway), var.values.leeway])
    }
  }

  releases = {
    for name, release in local.every_release : name => {
      namespace = release.namespace
      chart     = release.chart
      # A chart in a folder has the version that lies there.
      version = startswith(release.chart, "oci://") ? release.version : null
      values  = release.values
    } if local.parts[release.part]
  }

  # What no chart of the parts brings.
  gateway_class = [
    {
      apiVersion = "gateway.networking.k8s.io/v1"
      kind       = "GatewayClass"
      metadata   = { name = "envoy" }
      spec = {
        controllerName = "gateway.envoyproxy.io/gatewayclass-controller"
        parametersRef  = { group = "gateway.envoyproxy.io", kind = "EnvoyProxy", name = "defaults", namespace = "envoy-gateway-system" }
      }
    },
    {
      # A Gateway's own EnvoyProxy is then laid over what Envoy Gateway's chart was given, such as the image of Envoy in a
      # mirror; without, it would replace all of it.
      apiVersion = "gateway.envoyproxy.io/v1alpha1"
      kind       = "EnvoyProxy"
      metadata   = { name = "defaults", namespace = "envoy-gateway-system" }
      spec       = { mergeType = "StrategicMerge" }
    },
  ]
  namespace = {
    apiVersion = "v1"
    kind       = "Namespace"
    metadata = {
      name = var.namespace
      # Baseline, not restricted: KServe's modelcar sidecar sets a user but drops nothing.
      labels = { "pod-security.kubernetes.io/enforce" = "baseline", "pod-security.kubernetes.io/warn" = "restricted" }
    }
  }
  objects = concat(
    var.parts.envoy_gateway ? [for each in local.gateway_class : yamlencode(each)] : [],
    var.parts.leeway ? [yamlencode(local.namespace)] : [],
  )

  cert_manager = {
    crds = { enabled = true }
    # A secret goes with its certificate, so that an uninstalled release leaves none.
    enableCertificateOwnerRef = true
  }

  kube_prometheus_stack = {
    # Alerts about the cluster itself are for who runs it; on a small one they cost more than they tell.
    defaultRules = { create = !var.small }
    prometheus = {
      # Here and not with cert-manager, which would need the kind before the operator of it is there. Without, nobody is
      # told of a certificate that ends.
      additionalPodMonitors = [{
        name              = "cert-manager"
        namespaceSelector = { matchNames = ["cert-manager"] }
        selector          = { matchLabels = { "app.kubernetes.io/name" = "cert-manager", "app.kubernetes.io/component" = "controller" } }
        # `namespace` and `name` are the certificate's.
        podMetricsEndpoints = [{ port = "http-metrics", interval = "30s", honorLabels = true }]
      }]
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
        # Or else a new Prometheus forgets alerts that wait less than ten minutes (docs/alerts.md).
        additionalConfig = { rules = { alert = { forGracePeriod = "1m" } } }
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
    # Which model, slot and version a pod serves, and whose it is: dashboards and alerts ask for it.
    kube-state-metrics = {
      metricLabelsAllowlist = [
        "pods=[leeway.dev/model,leeway.dev/slot,leeway.dev/version,leeway.dev/team]",
        "horizontalpodautoscalers=[leeway.dev/model,leeway.dev/slot]",
      ]
    }
    grafana = {
      enabled = var.monitoring.grafana_admin_secret != ""
      admin   = { existingSecret = var.monitoring.grafana_admin_secret }
      # Dashboards of any release, in the folder that each names.
      sidecar = {
        dashboards = { searchNamespace = "ALL", folderAnnotation = "grafana_folder", provider = { foldersFromFilesStructure = true } }
      }
    }
  }

  # What the autoscaler of a slot asks for beside CPU (docs/scaling.md): the rules are those that Leeway's chart ships, the
  # rest is as the built-in cluster has it.
  prometheus_adapter = merge(yamldecode(file("${path.module}/../../../charts/leeway/files/prometheus-adapter.yaml")), {
    # The address has its port; the chart would add one.
    prometheus = { url = local.prometheus_url, port = 0 }
    # What it does not know yet is not there for an autoscaler; what is silent for a while stays known.
    metricsRelistInterval = "15s"
    extraArguments        = ["--metrics-max-age=10m"]
    # Or else the API server would take any answer for the adapter's.
    certManager = { enabled = true }
    resources   = { requests = { cpu = "10m", memory = "64Mi" }, limits = { memory = "192Mi" } }
  })

  envoy_gateway = {
    deployment = { envoyGateway = { resources = { requests = { cpu = "50m", memory = "128Mi" }, limits = { memory = "1024Mi" } } } }
  }

  kserve = {
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
  }

  leeway = {
    operator = { prometheus = { url = local.prometheus_url } }
    # Not by what the cluster has at the moment of the installation: installed too early, it would go unwatched for good.
    monitoring    = { podMonitors = { enabled = local.watched }, rules = { enabled = local.watched } }
    driftDetector = { backend = var.small ? "native" : var.detector_backend }
    gateway = {
      hostname                  = var.hostname
      infrastructureAnnotations = var.gateway.annotations
      envoy                     = { serviceType = var.gateway.service_type }
    }
  }
}
