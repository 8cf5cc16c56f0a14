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
  # An address inside the cluster, at which `helm test` asks; the output `call` leads to it from here. minikube gives a
  # LoadBalancer none unless `minikube tunnel` runs, and a NodePort is not at the listener's port.
  gateway = { service_type = "ClusterIP" }

  depends_on = [module.minikube]
}
