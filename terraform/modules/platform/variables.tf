################################################################################
# What is installed
################################################################################

variable "parts" {
  description = "Which parts are installed. Set one to `false` where the cluster has it already."
  type = object({
    cert_manager       = optional(bool, true)
    monitoring         = optional(bool, true)
    prometheus_adapter = optional(bool, true)
    envoy_gateway      = optional(bool, true)
    kserve             = optional(bool, true)
    leeway             = optional(bool, true)
  })
  default  = {}
  nullable = false
}

variable "versions" {
  description = "Version of the chart of each part. The Gateway API comes with Envoy Gateway, in the version that it was tested with."
  type = object({
    cert_manager          = optional(string, "v1.21.2")
    kube_prometheus_stack = optional(string, "90.2.0")
    prometheus_adapter    = optional(string, "5.3.0")
    envoy_gateway         = optional(string, "v1.9.1")
    kserve                = optional(string, "v0.20.0")
    leeway                = optional(string, "0.2.0")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for version in values(var.versions) : can(regex("^v?\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$", version))])
    error_message = "Each version is exact, such as 1.2.3 or v1.2.3; ranges would install something else tomorrow."
  }
}

variable "charts" {
  description = "Where each chart comes from: an `oci://` address, or the path of a folder or archive, for a mirror or a site without a way out."
  type = object({
    cert_manager          = optional(string, "oci://quay.io/jetstack/charts/cert-manager")
    kube_prometheus_stack = optional(string, "oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack")
    prometheus_adapter    = optional(string, "oci://ghcr.io/prometheus-community/charts/prometheus-adapter")
    envoy_gateway         = optional(string, "oci://docker.io/envoyproxy/gateway-helm")
    kserve_crd            = optional(string, "oci://ghcr.io/kserve/charts/kserve-crd")
    kserve                = optional(string, "oci://ghcr.io/kserve/charts/kserve-resources")
    leeway                = optional(string, "oci://ghcr.io/leeway-dev/charts/leeway")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for chart in values(var.charts) : startswith(chart, "oci://") || startswith(chart, "/") || startswith(chart, "./") || startswith(chart, "../")])
    error_message = "Each chart is an oci:// address, or a path that begins with /, ./ or ../."
  }
}

variable "values" {
  description = "Helm values of your own for each chart, as YAML; they are laid over what this module sets."
  type = object({
    cert_manager          = optional(string, "")
    kube_prometheus_stack = optional(string, "")
    prometheus_adapter    = optional(string, "")
    envoy_gateway         = optional(string, "")
    kserve                = optional(string, "")
    leeway                = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for document in values(var.values) : can(keys(yamldecode(document == "" ? "{}" : document)))])
    error_message = "Each document of values is a YAML mapping, such as file(\"leeway.yaml\")."
  }
}

################################################################################
# Leeway
################################################################################

variable "namespace" {
  description = "Namespace of Leeway's release. It is created, and enforces PodSecurity `baseline`."
  type        = string
  default     = "leeway"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.namespace)) && !contains(["default", "kube-system", "cert-manager", "kserve", "monitoring", "envoy-gateway-system"], var.namespace)
    error_message = "The namespace is a DNS label of up to 63 characters, and none of another part's."
  }
}

variable "hostname" {
  description = "Hostname of the HTTPS listener, such as `*.models.example.com`; each model gets a name under it."
  type        = string
  default     = "*.leeway.internal"
  nullable    = false

  validation {
    condition     = can(regex("^(\\*\\.)?([a-z0-9]([-a-z0-9]*[a-z0-9])?\\.)+[a-z]{2,}$", var.hostname))
    error_message = "The hostname is a DNS name of at least two labels in lower case, with or without a leading *. label."
  }
}

variable "gateway" {
  description = "How the Gateway is exposed: `service_type` is `LoadBalancer`, `NodePort` or `ClusterIP`; `annotations` are for what makes the load balancer."
  type = object({
    service_type = optional(string, "LoadBalancer")
    annotations  = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["LoadBalancer", "NodePort", "ClusterIP"], var.gateway.service_type)
    error_message = "gateway.service_type is LoadBalancer, NodePort or ClusterIP."
  }
}

variable "detector_backend" {
  description = "What judges besides the drift detector's own counts: `alibi` (Alibi-Detect), or `native` (nothing), which takes less memory."
  type        = string
  default     = "alibi"
  nullable    = false

  validation {
    condition     = contains(["alibi", "native"], var.detector_backend)
    error_message = "detector_backend is alibi or native."
  }
}

################################################################################
# Monitoring
################################################################################

variable "prometheus_url" {
  description = "Address of a Prometheus that is there already, for `parts.monitoring = false`; empty is the one installed here."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.prometheus_url == "" ? var.parts.monitoring || !(var.parts.leeway || var.parts.prometheus_adapter && !var.small) : can(regex("^https?://", var.prometheus_url)) && !var.parts.monitoring
    error_message = "Without parts.monitoring, prometheus_url is the http(s):// address of another Prometheus, since no rollout moves and no autoscaler is answered without one; with it, prometheus_url is empty."
  }
}

variable "monitoring" {
  description = "Prometheus keeps samples for `retention_days` on a volume of `disk_gb`. Grafana is installed if `grafana_admin_secret` names a Secret in the namespace `monitoring` with the keys `admin-user` and `admin-password`: made outside, so that no password lies in Terraform's state."
  type = object({
    retention_days       = optional(number, 30)
    disk_gb              = optional(number, 20)
    grafana_admin_secret = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.monitoring.retention_days >= 1 && var.monitoring.disk_gb >= 2
    error_message = "monitoring.retention_days is at least 1 and monitoring.disk_gb at least 2."
  }
}

################################################################################
# How
################################################################################

variable "small" {
  description = "Fits everything into a node of 4 GB: KServe's kinds without their schemas (the API server keeps each schema in memory), the native drift detector, no prometheus-adapter (slots scale by CPU alone), none of the alerts about the cluster itself."
  type        = bool
  default     = false
  nullable    = false
}

variable "install" {
  description = "Installs the parts. With `false` they are only described, in the output `releases`."
  type        = bool
  default     = true
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time that one release may take until its pods are ready."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 60 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds is a whole number of at least 60."
  }
}
