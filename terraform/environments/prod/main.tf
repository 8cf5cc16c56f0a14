locals {
  prometheus_disk_gb = 50
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { environment = "prod", managed-by = "terraform" }
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

  name               = "leeway-prod"
  kubernetes_version = "1.34"
  admins             = var.admins
  endpoint           = { public_cidrs = var.public_cidrs }
  protect            = true
  log_retention_days = 365
  # A zone that fails takes neither the others' nodes nor their way out with it.
  network     = { cidr = "10.30.0.0/16", zones = 3, nat = "each" }
  node_groups = { main = { instance_types = ["m7i.large"], minimum = 3, maximum = 9, disk_gb = 60 } }
}

module "platform" {
  source = "../../modules/platform"

  hostname   = var.hostname
  gateway    = { annotations = module.eks.gateway_annotations }
  values     = { leeway = var.values }
  monitoring = { retention_days = 30, disk_gb = local.prometheus_disk_gb, grafana_admin_secret = var.grafana_admin_secret }
}
