variable "cluster" {
  description = "The node: see modules/minikube."
  type = object({
    name               = optional(string, "leeway")
    kubernetes_version = optional(string, "1.36.3")
    driver             = optional(string, "docker")
    cpus               = optional(number, 4)
    memory_mb          = optional(number, 8192)
  })
  default  = {}
  nullable = false
}

variable "kubeconfig" {
  description = "Where minikube writes how its cluster is reached."
  type        = string
  default     = "~/.kube/config"
  nullable    = false
}

variable "chart" {
  description = "Leeway's chart: the one of this repository, or an `oci://` address."
  type        = string
  default     = "../../../charts/leeway"
  nullable    = false
}

variable "values" {
  description = "Helm values for Leeway, as YAML: its models, and what else differs from the chart's defaults."
  type        = string
  default     = ""
  nullable    = false
}

variable "monitoring" {
  description = "Prometheus on the node: see modules/platform."
  type = object({
    retention_days       = optional(number, 7)
    disk_gb              = optional(number, 4)
    grafana_admin_secret = optional(string, "")
  })
  default  = {}
  nullable = false
}
