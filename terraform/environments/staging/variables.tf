variable "region" {
  description = "Region of AWS, such as `eu-central-1`."
  type        = string
  nullable    = false
}

variable "admins" {
  description = "ARNs of the IAM roles or users that administrate the cluster; whoever runs Terraform among them."
  type        = list(string)
  nullable    = false
}

variable "public_cidrs" {
  description = "Networks from outside the VPC that reach the API server. Runners and desks, as /32 or the office's network."
  type        = list(string)
  nullable    = false
  default     = []
}

variable "hostname" {
  description = "Hostname that models are reached under, such as `*.staging.models.example.com`."
  type        = string
  nullable    = false
}

variable "values" {
  description = "Helm values for Leeway, as YAML: its models, where its images come from, whom alerts tell."
  type        = string
  default     = ""
  nullable    = false
}

variable "grafana_admin_secret" {
  description = "Secret in the namespace `monitoring`, made outside, with the keys `admin-user` and `admin-password`; empty is no Grafana."
  type        = string
  default     = ""
  nullable    = false
}
