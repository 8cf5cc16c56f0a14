variable "region" {
  description = "Region of AWS, such as `eu-central-1`."
  type        = string
  nullable    = false
}

variable "profile" {
  description = "What it costs and when it runs: `spot` (always, on spare capacity), `hours` (on working days, eight hours) or `always` (on demand)."
  type        = string
  default     = "spot"
  nullable    = false

  validation {
    condition     = contains(["spot", "hours", "always"], var.profile)
    error_message = "The profile is spot, hours or always."
  }
}

variable "time_zone" {
  description = "Time zone of the working day of the profile `hours`, such as `Europe/Berlin`."
  type        = string
  default     = "UTC"
  nullable    = false
}

variable "clients" {
  description = "IPv4 networks that may ask the models."
  type        = list(string)
  nullable    = false
}

variable "hostname" {
  description = "Hostname that models are reached under, such as `*.models.example.com`."
  type        = string
  default     = "*.leeway.internal"
  nullable    = false
}

variable "values" {
  description = "Helm values for Leeway, as YAML: its models, where its images come from."
  type        = string
  default     = ""
  nullable    = false
}

variable "bundle_buckets" {
  description = "Names of S3 buckets whose bundles the machine may read."
  type        = set(string)
  default     = []
  nullable    = false
}
