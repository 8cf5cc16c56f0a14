# The platform with charts from folders, for tests: rendered without a cluster, or installed on the built-in one.

terraform {
  required_providers {
    helm = {
      source = "hashicorp/helm"
    }
  }
}

variable "kubeconfig" {
  type = string
}

variable "charts" {
  type = map(string)
}

variable "values" {
  type    = map(string)
  default = {}
}

variable "small" {
  type    = bool
  default = false
}

variable "hostname" {
  type = string
}

variable "prometheus_url" {
  type = string
}

variable "timeout_seconds" {
  type    = number
  default = 600
}

provider "helm" {
  kubernetes = {
    config_path = var.kubeconfig
  }
}

module "platform" {
  source = "../modules/platform"

  charts          = var.charts
  values          = var.values
  small           = var.small
  hostname        = var.hostname
  timeout_seconds = var.timeout_seconds
  gateway         = { annotations = { "example.com/scheme" = "internal" } }
  # These charts are in no Go module, and cannot be had everywhere.
  parts          = { monitoring = false, prometheus_adapter = false }
  prometheus_url = var.prometheus_url
}

output "installed" {
  value = module.platform.installed
}
