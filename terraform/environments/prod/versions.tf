terraform {
  required_version = ">= 1.10, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.1"
    }
  }

  # Where the state lies is said in backend.hcl, which is yours: terraform init -backend-config=backend.hcl
  backend "s3" {}
}
