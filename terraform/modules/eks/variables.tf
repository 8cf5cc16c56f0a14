################################################################################
# Cluster
################################################################################

variable "name" {
  description = "Name of the cluster, and the beginning of the name of all that belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{0,28}[a-z0-9]$", var.name))
    error_message = "The name has 2 to 30 lower-case letters, digits and hyphens, and begins with a letter: names of roles and buckets are made of it."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, such as `1.34`. One that EKS supports as standard: extended support costs six times as much."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9]\\d)$", var.kubernetes_version))
    error_message = "The version is a minor one such as 1.34, and at least 1.32, which Leeway's chart asks for."
  }
}

variable "endpoint" {
  description = "Who reaches the API server. It always answers within the VPC; `public_cidrs` may also come from outside, and empty keeps it private."
  type = object({
    public_cidrs = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for cidr in var.endpoint.public_cidrs : can(cidrhost(cidr, 0)) && tonumber(split("/", cidr)[1]) >= 8])
    error_message = "endpoint.public_cidrs are IPv4 networks of at most a /8: an API server that all the world may ask is not offered."
  }
}

variable "admins" {
  description = "ARNs of the IAM roles or users that administrate the cluster. Whoever runs Terraform has to be among them, since nobody else is let in."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.admins) > 0 && alltrue([for arn in var.admins : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/.+$", arn))])
    error_message = "admins holds at least one ARN of an IAM role or user."
  }
}

variable "log_retention_days" {
  description = "Days that the logs are kept: the API server's (api, audit, authenticator), and what the network refused."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400 and so on."
  }
}

variable "protect" {
  description = "Keeps the cluster from being deleted, and the bucket with its bundles too, until this is false again."
  type        = bool
  default     = true
  nullable    = false
}

################################################################################
# Network
################################################################################

variable "network" {
  description = "The VPC: its `cidr`, in how many `zones` it has subnets, and the way out of its private subnets, `nat`: `one` gateway for all, `each` zone its own, or `none`. `interface_endpoints` let nodes reach AWS without a way out."
  type = object({
    cidr                = optional(string, "10.0.0.0/16")
    zones               = optional(number, 3)
    nat                 = optional(string, "one")
    interface_endpoints = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 0)) && try(tonumber(split("/", var.network.cidr)[1]) <= 20, false)
    error_message = "network.cidr is an IPv4 network of at least a /20: each pod takes an address of it."
  }

  validation {
    condition     = contains([2, 3], var.network.zones)
    error_message = "network.zones is 2 or 3; EKS asks for at least two."
  }

  validation {
    condition     = contains(["one", "each"], var.network.nat) || var.network.nat == "none" && var.network.interface_endpoints
    error_message = "network.nat is one, each or none; with none, nodes need interface_endpoints."
  }
}

################################################################################
# Nodes
################################################################################

variable "node_groups" {
  description = "Groups of nodes, by name. `capacity_type` is `ON_DEMAND` or `SPOT`; instances are x86-64, which the images are built for."
  type = map(object({
    instance_types = list(string)
    capacity_type  = optional(string, "ON_DEMAND")
    minimum        = number
    maximum        = number
    disk_gb        = optional(number, 40)
    labels         = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = length(var.node_groups) > 0 && alltrue([for group in values(var.node_groups) : length(group.instance_types) > 0 && contains(["ON_DEMAND", "SPOT"], group.capacity_type)])
    error_message = "Each of at least one node group names instance types, and its capacity_type is ON_DEMAND or SPOT."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.minimum >= 1 && group.maximum >= group.minimum && group.disk_gb >= 20])
    error_message = "A node group has at least one node, at least its minimum as maximum, and a disk of at least 20 GB."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.node_groups) : [for type in group.instance_types : !can(regex("^[a-z]+\\d+g[a-z]*\\.", type))]]))
    error_message = "Graviton instances (such as m7g) are arm64; the images are built for x86-64."
  }
}

################################################################################
# Bundles and images
################################################################################

variable "bundle_readers" {
  description = "Service accounts that may read bundles from the bucket, for `storageUri: s3://…`: those of the models' namespaces."
  type        = set(object({ namespace = string, service_account = optional(string, "default") }))
  default     = [{ namespace = "leeway" }]
  nullable    = false

  validation {
    condition     = alltrue([for reader in var.bundle_readers : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", reader.namespace))])
    error_message = "Each of bundle_readers names a namespace."
  }
}

variable "repositories" {
  description = "Repositories for images, below the cluster's name; empty where images come from elsewhere."
  type        = set(string)
  default     = ["onnx-server", "drift-detector", "drift-detector-native", "operators", "models"]
  nullable    = false

  validation {
    condition     = alltrue([for repository in var.repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", repository))])
    error_message = "A repository's name has lower-case letters, digits and single separators."
  }
}

variable "tags" {
  description = "Tags of everything, besides those of the provider."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "Tags that begin with aws: are Amazon's own."
  }
}
