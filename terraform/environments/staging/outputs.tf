output "kubeconfig" {
  description = "Command that makes kubectl speak to the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.name}"
}

output "bundle_bucket" {
  description = "Bucket for bundles."
  value       = module.eks.bundle_bucket
}

output "repositories" {
  description = "Addresses of the repositories for images, by name."
  value       = module.eks.repositories
}

output "installed" {
  description = "Version of each part, by release."
  value       = module.platform.installed
}

output "billed" {
  description = "What is billed by the hour, and all disks: docs/terraform.md reckons with it."
  value       = merge(module.eks.billed, { disk_gb = module.eks.billed.disk_gb + local.prometheus_disk_gb })
}
