variable "name" {
  description = "Name of minikube's profile, and of the context in the kubeconfig."
  type        = string
  default     = "leeway"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{0,38}[a-z0-9]$", var.name))
    error_message = "The name has 2 to 40 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, such as `1.36.3`."
  type        = string
  default     = "1.36.3"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9]\\d)\\.\\d+$", var.kubernetes_version))
    error_message = "The version is exact and at least 1.32.0, which Leeway's chart asks for."
  }
}

variable "driver" {
  description = "What minikube runs the node in: `docker`, `podman`, `kvm2`, `qemu2`, `vfkit`, `hyperkit`, `hyperv`, `virtualbox` or `none`."
  type        = string
  default     = "docker"
  nullable    = false

  validation {
    condition     = contains(["docker", "podman", "kvm2", "qemu2", "vfkit", "hyperkit", "hyperv", "virtualbox", "none"], var.driver)
    error_message = "The driver is docker, podman, kvm2, qemu2, vfkit, hyperkit, hyperv, virtualbox or none."
  }
}

variable "cpus" {
  description = "Cores of the node."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.cpus >= 2 && floor(var.cpus) == var.cpus
    error_message = "cpus is a whole number of at least 2, which minikube asks for."
  }
}

variable "memory_mb" {
  description = "Memory of the node in MB."
  type        = number
  default     = 8192
  nullable    = false

  validation {
    condition     = var.memory_mb >= 4096 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb is a whole number of at least 4096: the platform takes 3.2 GB."
  }
}
