provider "aws" {
  region = var.region

  default_tags {
    tags = { environment = "ec2", managed-by = "terraform" }
  }
}

# Described only: the machine's own cluster installs it, so that nobody outside needs its API server.
module "platform" {
  source = "../../modules/platform"

  install    = false
  small      = true
  hostname   = var.hostname
  monitoring = { retention_days = 7, disk_gb = 4 }
  values     = { leeway = var.values }
}

module "ec2" {
  source = "../../modules/ec2"

  name           = "leeway"
  releases       = module.platform.releases
  objects        = module.platform.objects
  clients        = var.clients
  bundle_buckets = var.bundle_buckets
  spot           = var.profile == "spot"
  hours          = var.profile == "hours" ? { time_zone = var.time_zone } : null
}
