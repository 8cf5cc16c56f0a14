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
  name    = "leeway-test"
  clients = ["192.0.2.0/24"]
  releases = {
    cert-manager = { namespace = "cert-manager", chart = "oci://quay.io/jetstack/charts/cert-manager", version = "v1.21.2", values = ["crds: {enabled: true}"] }
    kserve-crd   = { namespace = "kserve", chart = "oci://ghcr.io/kserve/charts/kserve-crd", version = "v0.20.0", values = [] }
    leeway       = { namespace = "leeway", chart = "oci://ghcr.io/leeway-dev/charts/leeway", version = "0.2.0", values = ["operator: {}", "models: {}"] }
  }
}

run "one_open_port_for_those_who_are_named" {
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.https : "${rule.cidr_ipv4}:${rule.from_port}-${rule.to_port}"] == ["192.0.2.0/24:443-443"]
    error_message = "HTTPS from the clients, and nothing else, reaches the machine."
  }

  assert {
    condition     = aws_instance.main.metadata_options[0].http_tokens == "required" && aws_instance.main.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "A pod does not get at the machine's role."
  }

  assert {
    condition     = aws_instance.main.root_block_device[0].encrypted
    error_message = "The disk is encrypted."
  }

  assert {
    condition     = length(aws_instance.main.instance_market_options) == 0 && length(aws_scheduler_schedule.hours) == 0
    error_message = "Unless said otherwise it runs always, on demand."
  }
}

run "a_cluster_with_all_releases" {
  variables {
    objects = ["{apiVersion: v1, kind: Namespace, metadata: {name: leeway}}\n"]
  }

  assert {
    condition     = yamldecode(yamldecode(local.cloud_init).write_files[1].content).kind == "Namespace"
    error_message = "What is needed besides the releases is created too."
  }

  assert {
    condition     = startswith(local.cloud_init, "#cloud-config\n")
    error_message = "cloud-init reads what begins with its name."
  }

  assert {
    condition = [for document in split("---\n", yamldecode(local.cloud_init).write_files[2].content) : "${yamldecode(document).kind} ${yamldecode(document).metadata.name}"] == [
      "HelmChart cert-manager", "HelmChart kserve-crd", "HelmChart leeway", "HelmChartConfig leeway",
    ]
    error_message = "Each release is a HelmChart, and its own values are laid over it."
  }

  assert {
    condition     = yamldecode(split("---\n", yamldecode(local.cloud_init).write_files[2].content)[2]).spec.version == "0.2.0"
    error_message = "A release has its version."
  }

  assert {
    condition     = yamldecode(local.cloud_init).runcmd == [["/usr/local/sbin/install-k3s", "v1.36.1+k3s1"]]
    error_message = "k3s is installed in the version that was asked for."
  }

  assert {
    condition     = contains(yamldecode(yamldecode(local.cloud_init).write_files[0].content).disable, "traefik")
    error_message = "Port 443 is Envoy Gateway's."
  }

  assert {
    condition     = length(aws_instance.main.user_data_base64) < 16384
    error_message = "A machine is given at most 16 KB."
  }
}

run "spare_capacity" {
  variables {
    spot = true
  }

  assert {
    condition     = aws_instance.main.instance_market_options[0].spot_options[0].instance_interruption_behavior == "stop" && aws_instance.main.instance_market_options[0].spot_options[0].spot_instance_type == "persistent"
    error_message = "A machine that AWS takes away keeps its disk and comes back."
  }
}

run "in_office_hours" {
  variables {
    hours = { time_zone = "Europe/Berlin" }
  }

  assert {
    condition     = aws_scheduler_schedule.hours["stop"].target[0].arn == "arn:aws:scheduler:::aws-sdk:ec2:stopInstances" && aws_scheduler_schedule.hours["stop"].schedule_expression_timezone == "Europe/Berlin"
    error_message = "The machine is stopped in the evening of those who use it."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.hours[0].policy).Statement[0].Resource == "arn:aws:ec2:eu-central-1:123456789012:instance/i-00000000000000000"
    error_message = "The scheduler may start and stop this machine and no other."
  }
}

run "bundles_in_a_bucket" {
  variables {
    bundle_buckets = ["leeway-dev-bundles-123456789012"]
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.bundles[0].policy).Statement[0] == { Action = "s3:GetObject", Effect = "Allow", Resource = ["arn:aws:s3:::leeway-dev-bundles-123456789012/*"] }
    error_message = "The machine reads from the buckets that are named."
  }

  assert {
    condition     = aws_instance.main.metadata_options[0].http_put_response_hop_limit == 2
    error_message = "What reads bundles is a pod: the machine's role has to reach it."
  }
}

run "hours_and_spot_exclude_each_other" {
  command = plan

  variables {
    spot  = true
    hours = {}
  }

  expect_failures = [var.hours]
}

run "hours_are_cron_expressions" {
  command = plan

  variables {
    hours = { start = "08:00" }
  }

  expect_failures = [var.hours]
}

run "a_chart_comes_from_a_registry" {
  command = plan

  variables {
    releases = { leeway = { namespace = "leeway", chart = "../../../charts/leeway", values = [] } }
  }

  expect_failures = [var.releases]
}

run "a_name_fits_into_all_that_is_made_of_it" {
  command = plan

  variables {
    name = "My Machine"
  }

  expect_failures = [var.name]
}

run "an_object_has_a_kind" {
  command = plan

  variables {
    objects = ["a: namespace"]
  }

  expect_failures = [var.objects]
}

run "a_version_of_k3s_is_exact" {
  command = plan

  variables {
    k3s_version = "latest"
  }

  expect_failures = [var.k3s_version]
}

run "too_small_a_machine" {
  command = plan

  variables {
    instance_type = "t3.micro"
  }

  expect_failures = [var.instance_type]
}

run "no_graviton" {
  command = plan

  variables {
    instance_type = "t4g.medium"
  }

  expect_failures = [var.instance_type]
}

run "too_small_a_disk" {
  command = plan

  variables {
    disk_gb = 8
  }

  expect_failures = [var.disk_gb]
}

run "clients_are_networks" {
  command = plan

  variables {
    clients = ["office"]
  }

  expect_failures = [var.clients]
}

run "a_bucket_by_its_name" {
  command = plan

  variables {
    bundle_buckets = ["arn:aws:s3:::bundles"]
  }

  expect_failures = [var.bundle_buckets]
}

run "tags_of_our_own" {
  command = plan

  variables {
    tags = { "aws:owner" = "me" }
  }

  expect_failures = [var.tags]
}
