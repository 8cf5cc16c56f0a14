variable "name" {
  description = "Name of the machine, and the beginning of the name of all that belongs to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{0,28}[a-z0-9]$", var.name))
    error_message = "The name has 2 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "releases" {
  description = "What is installed on the cluster, by release: the output `releases` of modules/platform."
  type = map(object({
    namespace = string
    chart     = string
    version   = optional(string)
    values    = list(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for release in values(var.releases) : startswith(release.chart, "oci://") && release.version != null && length(release.values) <= 2])
    error_message = "Each release has a chart in a registry (oci://…), a version, and at most two documents of values: the machine has no folder of ours, and its cluster takes one document and what is laid over it."
  }
}

variable "objects" {
  description = "What is created besides the releases, each as YAML: the output `objects` of modules/platform."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.objects : can(yamldecode(each).kind)])
    error_message = "Each of objects is an object of Kubernetes, as YAML."
  }
}

variable "k3s_version" {
  description = "Version of k3s, such as `v1.36.1+k3s1`."
  type        = string
  default     = "v1.36.1+k3s1"
  nullable    = false

  validation {
    condition     = can(regex("^v1\\.(3[2-9]|[4-9]\\d)\\.\\d+\\+k3s\\d+$", var.k3s_version))
    error_message = "The version is exact, of at least Kubernetes 1.32, such as v1.36.1+k3s1."
  }
}

variable "instance_type" {
  description = "Type of the machine: x86-64, with at least 4 GB."
  type        = string
  default     = "t3a.medium"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+\\d+[a-z-]*\\.(medium|(\\d*x)?large)$", var.instance_type)) && !can(regex("^[a-z]+\\d+g[a-z]*\\.", var.instance_type))
    error_message = "The type is medium or larger, and no Graviton (arm64): the images are built for x86-64."
  }
}

variable "disk_gb" {
  description = "Size of the machine's disk, which holds images, samples and predictions."
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.disk_gb >= 20 && floor(var.disk_gb) == var.disk_gb
    error_message = "disk_gb is a whole number of at least 20: the images take 8 of them."
  }
}

variable "clients" {
  description = "IPv4 networks that may ask the models over HTTPS."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.clients : can(cidrhost(cidr, 0))])
    error_message = "clients are IPv4 networks, such as 192.0.2.0/24; 0.0.0.0/0 is everybody."
  }
}

variable "bundle_buckets" {
  description = "Names of S3 buckets whose bundles the machine may read."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for bucket in var.bundle_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "bundle_buckets are names of buckets, not ARNs."
  }
}

variable "spot" {
  description = "Takes spare capacity at a third of the price or less. AWS may stop the machine within two minutes, and starts it again, disk and all, when there is capacity."
  type        = bool
  default     = false
  nullable    = false
}

variable "hours" {
  description = "When the machine runs, as two cron expressions of EventBridge and a time zone; null is always."
  type = object({
    start     = optional(string, "cron(0 8 ? * MON-FRI *)")
    stop      = optional(string, "cron(0 16 ? * MON-FRI *)")
    time_zone = optional(string, "UTC")
  })
  default  = null
  nullable = true

  validation {
    condition     = var.hours == null || !var.spot
    error_message = "A spot machine cannot have hours: only AWS starts a spot machine that it stopped."
  }

  validation {
    condition     = var.hours == null ? true : alltrue([for expression in [var.hours.start, var.hours.stop] : can(regex("^cron\\(\\S+( \\S+){5}\\)$", expression))])
    error_message = "hours.start and hours.stop are cron expressions of six fields, such as cron(0 8 ? * MON-FRI *)."
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
