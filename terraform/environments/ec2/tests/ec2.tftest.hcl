mock_provider "helm" {}

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-00000000000000000" }
  }

  # In the form of real ones, which the real provider would insist on.
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_instance" {
    defaults = { arn = "arn:aws:ec2:eu-central-1:123456789012:instance/i-00000000000000000", id = "i-00000000000000000" }
  }
}

variables {
  region  = "eu-central-1"
  clients = ["192.0.2.0/24"]
}

run "spot" {
  assert {
    condition     = output.billed == jsondecode(file("billed.json")).spot
    error_message = "billed.json is what docs/terraform.md reckons with: change both together."
  }

  assert {
    condition     = output.session == "aws ssm start-session --region eu-central-1 --target i-00000000000000000"
    error_message = "People are told how they come in."
  }
}

run "hours" {
  variables {
    profile = "hours"
  }

  assert {
    condition     = output.billed == jsondecode(file("billed.json")).hours
    error_message = "billed.json is what docs/terraform.md reckons with: change both together."
  }
}

run "always" {
  variables {
    profile = "always"
  }

  assert {
    condition     = output.billed == jsondecode(file("billed.json")).always
    error_message = "billed.json is what docs/terraform.md reckons with: change both together."
  }
}

run "a_profile_is_known" {
  command = plan

  variables {
    profile = "free"
  }

  expect_failures = [var.profile]
}
