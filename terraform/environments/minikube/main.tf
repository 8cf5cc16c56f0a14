provider "helm" {
  kubernetes = {
    config_path    = var.kubeconfig
    config_context = module.minikube.context
  }
}

module "minikube" {
  source = "../../modules/minikube"

  name               = var.cluster.name
  kubernetes_version = var.cluster.kubernetes_version
  driver             = var.cluster.driver
  cpus               = var.cluster.cpus
  memory_mb          = var.cluster.memory_mb
}

module "platform" {
  source = "../../modules/platform"

  charts     = { leeway = var.chart }
  values     = { leeway = var.values }
  small      = true
  monitoring = var.monitoring
  # minikube gives a LoadBalancer no address unless `minikube tunnel` runs.
  gateway = { service_type = "NodePort" }

  depends_on = [module.minikube]
}
