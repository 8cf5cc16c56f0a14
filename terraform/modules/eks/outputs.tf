output "name" {
  description = "Name of the cluster, for `aws eks update-kubeconfig --name`."
  value       = aws_eks_cluster.main.name
  # Nothing can be installed before there are nodes, volumes, and somebody who may.
  depends_on = [aws_eks_access_policy_association.admin, aws_eks_addon.on_nodes]
}

output "endpoint" {
  description = "URL of the API server."
  value       = aws_eks_cluster.main.endpoint
}

output "certificate_authority" {
  description = "Certificate authority of the API server, in PEM."
  value       = base64decode(aws_eks_cluster.main.certificate_authority[0].data)
}

output "bundle_bucket" {
  description = "Bucket for bundles: `storageUri: s3://<bucket>/<model>/<version>`."
  value       = aws_s3_bucket.bundles.bucket
}

output "repositories" {
  description = "Addresses of the repositories for images, by name."
  value       = { for name, repository in aws_ecr_repository.main : name => repository.repository_url }
}

output "gateway_annotations" {
  description = "Annotations that make the Gateway's load balancer one for TCP, within the VPC, in every zone."
  value = {
    "service.beta.kubernetes.io/aws-load-balancer-type"                              = "nlb"
    "service.beta.kubernetes.io/aws-load-balancer-internal"                          = "true"
    "service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled" = "true"
  }
}

output "billed" {
  description = "What is billed by the hour as long as it exists, and the disks of the nodes: docs/terraform.md reckons with it."
  value = {
    control_planes      = 1
    nat_gateways        = length(local.nat_zones)
    interface_endpoints = length(local.interface_endpoints) * var.network.zones
    nodes = { for group in values(var.node_groups) :
      "${group.instance_types[0]} ${group.capacity_type == "SPOT" ? "spot" : "on demand"}" => group.minimum...
    }
    disk_gb = sum([for group in values(var.node_groups) : group.minimum * group.disk_gb])
  }
}
