output "context" {
  description = "Context of the cluster in the kubeconfig: `kubectl --context` takes it."
  value       = module.minikube.context
}

output "installed" {
  description = "Version of each part, by release."
  value       = module.platform.installed
}

output "call" {
  description = "Command that brings the Gateway to port 8443 of this machine, until Ctrl-C."
  value       = "kubectl --context ${module.minikube.context} port-forward --namespace envoy-gateway-system \"$(kubectl --context ${module.minikube.context} get service --namespace envoy-gateway-system --output name --selector gateway.envoyproxy.io/owning-gateway-namespace=leeway,gateway.envoyproxy.io/owning-gateway-name=leeway)\" 8443:443"
}
