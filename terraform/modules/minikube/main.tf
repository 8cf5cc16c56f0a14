# By the minikube that is on PATH, and not by a provider: the provider carries a minikube of its own, which is another
# one than people have in their shell.
resource "terraform_data" "cluster" {
  input = { name = var.name }

  # Neither can be changed on a running node.
  triggers_replace = {
    name               = var.name
    kubernetes_version = var.kubernetes_version
    driver             = var.driver
    cpus               = var.cpus
    memory_mb          = var.memory_mb
  }

  provisioner "local-exec" {
    command = "minikube start --profile \"$NAME\" --kubernetes-version \"v$VERSION\" --driver \"$DRIVER\" --cpus \"$CPUS\" --memory \"$${MEMORY}mb\" --addons metrics-server --wait all"
    environment = {
      NAME    = var.name
      VERSION = var.kubernetes_version
      DRIVER  = var.driver
      CPUS    = var.cpus
      MEMORY  = var.memory_mb
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "minikube delete --profile \"$NAME\""
    environment = { NAME = self.output.name }
  }
}
