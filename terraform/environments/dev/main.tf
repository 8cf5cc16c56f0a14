locals {
  prometheus_disk_gb = 10
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { environment = "dev", managed-by = "terraform" }
  }
}

# A token of the moment from whoever runs Terraform: no credential of the cluster lies in the state.
provider "helm" {
  kubernetes = {
    host                   = module.eks.endpoint
    cluster_ca_certificate = module.eks.certificate_authority
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", module.eks.name, "--region", var.region]
    }
  }
}

module "eks" {
  source = "../../modules/eks"

  name               = "leeway-dev"
  kubernetes_version = "1.34"
  admins             = var.admins
  endpoint           = { public_cidrs = var.public_cidrs }
  protect            = false
  log_retention_days = 7
  network            = { cidr = "10.10.0.0/16", zones = 2 }
  # Spot: a node may go within two minutes. Leeway's slots come back on another one.
  node_groups = { main = { instance_types = ["t3.large", "t3a.large", "m7i-flex.large"], capacity_type = "SPOT", minimum = 2, maximum = 3 } }
}

module "platform" {
  source = "../../modules/platform"

  hostname   = var.hostname
  gateway    = { annotations = module.eks.gateway_annotations }
  values     = { leeway = var.values }
  monitoring = { retention_days = 7, disk_gb = local.prometheus_disk_gb, grafana_admin_secret = var.grafana_admin_secret }
}
