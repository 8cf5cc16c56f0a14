mock_provider "helm" {}

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  # In the form of real ones, which the real provider would insist on.
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mocked" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }

  mock_resource "aws_eks_cluster" {
    defaults = { certificate_authority = [{ data = "bW9ja2Vk" }] }
  }
}

variables {
  region       = "eu-central-1"
  admins       = ["arn:aws:iam::123456789012:role/platform"]
  public_cidrs = []
  hostname     = "*.prod.models.example.com"
}

run "what_the_costs_are_reckoned_from" {
  assert {
    condition     = output.billed == jsondecode(file("billed.json"))
    error_message = "billed.json is what docs/terraform.md reckons with: change both together."
  }
}

run "the_cluster_of_this_environment" {
  assert {
    condition     = output.kubeconfig == "aws eks update-kubeconfig --region eu-central-1 --name leeway-prod" && output.bundle_bucket == "leeway-prod-bundles-123456789012"
    error_message = "Each environment has a cluster and a bucket of its own."
  }

  assert {
    condition     = contains(keys(output.installed), "leeway")
    error_message = "The platform is installed on it."
  }
}
