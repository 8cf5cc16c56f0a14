output "namespace" {
  description = "Namespace of Leeway's release; null without it."
  value       = one(helm_release.leeway[*].namespace)
}

output "prometheus_url" {
  description = "Address, within the cluster, of the Prometheus that rollouts take their evidence from."
  value       = local.prometheus_url
}

output "releases" {
  description = "Namespace, chart, version and values of each release, for who installs them by other means."
  value       = local.releases
}

output "objects" {
  description = "What is created besides the releases, as YAML: the GatewayClass, and the namespace with its labels."
  value       = local.objects
}

output "installed" {
  description = "Version of each part that this module installs, by release."
  value = { for release in concat(
    helm_release.cert_manager, helm_release.monitoring, helm_release.prometheus_adapter, helm_release.envoy_gateway, helm_release.kserve_crd, helm_release.kserve, helm_release.leeway,
  ) : release.name => release.version }
}
