output "context" {
  description = "Context of the cluster in the kubeconfig: `kubectl --context` takes it."
  value       = module.minikube.context
}

output "installed" {
  description = "Version of each part, by release."
  value       = module.platform.installed
}
