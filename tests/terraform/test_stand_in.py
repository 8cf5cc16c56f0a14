"""The provider that stands in says what it does not do: or a test would pass for what was never done."""

import pytest

from cluster.shell import CommandFailedError
from terraform.conftest import Terraform
from terraform.programs import Programs

HELM = """
terraform {
  required_providers {
    helm = {
      source = "hashicorp/helm"
    }
  }
}
"""
AWS = HELM.replace("helm", "aws")
RELEASE = """
resource "helm_release" "x" {
  name  = "x"
  chart = "./x"
  %s
}
"""


def plan(terraform: Terraform, text: str, *arguments: str) -> str:
    root = terraform.tree / "root"
    root.mkdir()
    (root / "main.tf").write_text(text, encoding="utf-8")
    terraform.init("root")
    return terraform("root", *(arguments or ("plan",)), "-no-color", "-input=false")


def test_an_argument_that_it_would_ignore_is_refused(fresh: Terraform) -> None:
    with pytest.raises(CommandFailedError, match="atomic: the stand-in for helm does not honour it"):
        plan(fresh, HELM + RELEASE % "atomic = true")


def test_a_cluster_that_it_cannot_reach_is_refused(fresh: Terraform) -> None:
    provider = 'provider "helm" {\n  kubernetes = { host = "https://127.0.0.1" }\n}\n'
    with pytest.raises(CommandFailedError, match=r"kubernetes\.host: the stand-in for helm takes config_path"):
        plan(fresh, HELM + provider + RELEASE % "")


def test_a_block_where_version_3_has_an_attribute_is_refused(fresh: Terraform) -> None:
    with pytest.raises(CommandFailedError, match='Blocks of type "set" are not expected here'):
        plan(fresh, HELM + RELEASE % 'set {\n    name  = "a"\n    value = "b"\n  }')


def test_an_argument_that_the_provider_does_not_have_is_refused(fresh: Terraform) -> None:
    with pytest.raises(CommandFailedError, match='An argument named "encrypt" is not expected here'):
        plan(fresh, AWS + 'resource "aws_kms_key" "x" {\n  encrypt = true\n}')


def test_as_aws_it_plans_and_makes_nothing(fresh: Terraform) -> None:
    with pytest.raises(CommandFailedError, match="the stand-in for hashicorp/aws makes nothing"):
        plan(fresh, AWS + 'resource "aws_kms_key" "x" {}', "apply", "-auto-approve")


def test_as_aws_it_knows_no_data(fresh: Terraform) -> None:
    with pytest.raises(CommandFailedError, match="the stand-in for hashicorp/aws knows no data"):
        plan(fresh, AWS + 'data "aws_region" "x" {}')


def test_documents_of_values_reach_helm_in_their_order(fresh: Terraform) -> None:
    """Helm lets the last one win."""
    assert fresh.programs
    programs = Programs(fresh.programs)
    programs.helm()
    plan(fresh, HELM + RELEASE % 'values = ["a: 1", "a: 2"]', "apply", "-auto-approve")
    (installed,) = [call for call in programs.calls() if call.arguments[0] == "upgrade"]
    files = [
        value for flag, value in zip(installed.arguments, installed.arguments[1:], strict=False) if flag == "--values"
    ]
    assert len(files) == 2
    assert (files[-1], installed.stdin) == ("-", "a: 2")
