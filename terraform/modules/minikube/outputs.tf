output "context" {
  description = "Context of the cluster in the kubeconfig."
  value       = var.name
  # Known before the cluster is there, so that providers can be configured with it, and used only after.
  depends_on = [terraform_data.cluster]
}
