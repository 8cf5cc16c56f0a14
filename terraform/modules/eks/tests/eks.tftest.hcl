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
  name               = "leeway-test"
  kubernetes_version = "1.34"
  admins             = ["arn:aws:iam::123456789012:role/platform"]
  node_groups        = { main = { instance_types = ["m7i.large"], minimum = 2, maximum = 4 } }
}

run "private_unless_said_otherwise" {
  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_private_access && !aws_eks_cluster.main.vpc_config[0].endpoint_public_access
    error_message = "Without public_cidrs the API server answers within the VPC only."
  }

  assert {
    condition     = !aws_eks_cluster.main.access_config[0].bootstrap_cluster_creator_admin_permissions && keys(aws_eks_access_entry.admin) == ["arn:aws:iam::123456789012:role/platform"]
    error_message = "Administrators are those that are named, and nobody else."
  }

  assert {
    condition     = aws_eks_cluster.main.deletion_protection && !aws_s3_bucket.bundles.force_destroy && !aws_ecr_repository.main["models"].force_delete
    error_message = "A cluster, its bundles and its images are protected unless said otherwise."
  }
}

run "encrypted_and_logged" {
  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == aws_kms_key.main.arn && aws_kms_key.main.enable_key_rotation
    error_message = "Secrets are encrypted with a key of this cluster, which is rotated."
  }

  assert {
    condition     = aws_cloudwatch_log_group.cluster.name == "/aws/eks/leeway-test/cluster" && aws_cloudwatch_log_group.cluster.kms_key_id == aws_kms_key.main.arn
    error_message = "The logs go to a group of ours, encrypted; EKS writes to this name and no other."
  }

  assert {
    condition     = contains(aws_eks_cluster.main.enabled_cluster_log_types, "audit")
    error_message = "Who did what is logged."
  }

  assert {
    condition     = jsondecode(aws_kms_key.main.policy).Statement[1].Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"] == ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/eks/leeway-test/cluster", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/vpc/leeway-test"]
    error_message = "The log service may use the key for this cluster's logs only."
  }

  assert {
    condition     = aws_flow_log.refused.traffic_type == "REJECT" && aws_cloudwatch_log_group.network.kms_key_id == aws_kms_key.main.arn
    error_message = "What the network refused is logged, encrypted."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.network_log.policy).Statement[0].Resource == "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/vpc/leeway-test:*"
    error_message = "The network's log writes to its own group and no other."
  }

  assert {
    condition     = aws_launch_template.node["main"].block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "Disks of nodes are encrypted."
  }
}

run "pods_do_not_get_at_the_nodes_role" {
  assert {
    condition     = aws_launch_template.node["main"].metadata_options[0].http_tokens == "required" && aws_launch_template.node["main"].metadata_options[0].http_put_response_hop_limit == 1
    error_message = "A pod must not reach the metadata of its node."
  }

  assert {
    condition     = keys(aws_iam_role_policy_attachment.node) == ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"]
    error_message = "A node may join and pull; the network and the volumes have roles of their own."
  }

  assert {
    condition     = aws_eks_addon.before_nodes["vpc-cni"].pod_identity_association != null && jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The network's add-on has its own role and enforces network policies."
  }
}

run "a_bundle_reader_reads_bundles" {
  variables {
    bundle_readers = [{ namespace = "fraud", service_account = "models" }]
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.bundle_reader.policy).Statement : statement.Action])) == toset([
      "kms:Decrypt", "s3:GetObject", "s3:ListBucket",
    ])
    error_message = "Reading is all that a server's role may do."
  }

  assert {
    condition     = !contains(flatten([for statement in jsondecode(aws_iam_role_policy.bundle_reader.policy).Statement : statement.Resource]), "*")
    error_message = "The role is for this bucket and this key, not for all of them."
  }

  assert {
    condition     = aws_eks_pod_identity_association.bundle_reader["fraud/models"].service_account == "models"
    error_message = "The role belongs to the service account that was named."
  }

  assert {
    condition     = jsondecode(aws_iam_role.bundle_reader.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Pods of other accounts' clusters cannot take the role."
  }
}

run "bundles_stay_what_they_were" {
  assert {
    condition     = aws_s3_bucket_versioning.bundles.versioning_configuration[0].status == "Enabled"
    error_message = "An overwritten bundle can be had back."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.bundles.block_public_policy && aws_s3_bucket_public_access_block.bundles.restrict_public_buckets
    error_message = "The bucket can never be public."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.bundles.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "Nothing goes over the wire in the clear."
  }

  assert {
    condition     = aws_s3_bucket.bundles.bucket == "leeway-test-bundles-123456789012"
    error_message = "The bucket's name is known beforehand, for who publishes."
  }

  assert {
    condition     = aws_ecr_repository.main["models"].image_tag_mutability == "IMMUTABLE"
    error_message = "A tag names one image for ever."
  }
}

run "one_way_out_by_default" {
  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_route.private) == 3
    error_message = "Three zones go out through one gateway."
  }

  assert {
    condition     = length(setunion([for subnet in aws_subnet.private : subnet.cidr_block], [for subnet in aws_subnet.public : subnet.cidr_block])) == 6
    error_message = "Each zone has a private and a public subnet of its own."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "Interface endpoints cost money by the hour, and are for who asks for them."
  }
}

run "a_way_out_for_each_zone" {
  variables {
    network = { zones = 2, nat = "each" }
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 2 && length(aws_route.private) == 2
    error_message = "A zone that fails takes only its own way out with it."
  }
}

run "no_way_out" {
  variables {
    network = { nat = "none", interface_endpoints = true }
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_route.private) == 0
    error_message = "Without NAT there is no route out of a private subnet."
  }

  assert {
    condition     = contains(keys(aws_vpc_endpoint.interface), "eks-auth") && aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.0.0.0/16"
    error_message = "Pods still get their roles, and only the VPC reaches the endpoints."
  }
}

run "reached_from_an_office" {
  variables {
    endpoint = { public_cidrs = ["192.0.2.0/24"] }
    protect  = false
  }

  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_public_access && aws_eks_cluster.main.vpc_config[0].public_access_cidrs == toset(["192.0.2.0/24"])
    error_message = "The API server answers the networks that were named."
  }

  assert {
    condition     = aws_s3_bucket.bundles.force_destroy && !aws_eks_cluster.main.deletion_protection
    error_message = "An environment without protection can be destroyed in one go."
  }
}

run "a_name_fits_into_all_that_is_made_of_it" {
  command = plan

  variables {
    name = "Leeway_Production"
  }

  expect_failures = [var.name]
}

run "a_version_is_a_minor_one" {
  command = plan

  variables {
    kubernetes_version = "1.34.2"
  }

  expect_failures = [var.kubernetes_version]
}

run "not_for_all_the_world" {
  command = plan

  variables {
    endpoint = { public_cidrs = ["0.0.0.0/0"] }
  }

  expect_failures = [var.endpoint]
}

run "somebody_has_to_be_let_in" {
  command = plan

  variables {
    admins = []
  }

  expect_failures = [var.admins]
}

run "logs_are_kept_for_a_time_that_is_offered" {
  command = plan

  variables {
    log_retention_days = 42
  }

  expect_failures = [var.log_retention_days]
}

run "no_nodes_without_a_way_to_aws" {
  command = plan

  variables {
    network = { nat = "none" }
  }

  expect_failures = [var.network]
}

run "two_zones_at_least" {
  command = plan

  variables {
    network = { zones = 1 }
  }

  expect_failures = [var.network]
}

run "room_for_pods" {
  command = plan

  variables {
    network = { cidr = "10.0.0.0/24" }
  }

  expect_failures = [var.network]
}

run "no_graviton" {
  command = plan

  variables {
    node_groups = { main = { instance_types = ["m7g.large"], minimum = 1, maximum = 1 } }
  }

  expect_failures = [var.node_groups]
}

run "a_group_without_nodes" {
  command = plan

  variables {
    node_groups = { main = { instance_types = ["m7i.large"], minimum = 3, maximum = 2 } }
  }

  expect_failures = [var.node_groups]
}

run "a_reader_has_a_namespace" {
  command = plan

  variables {
    bundle_readers = [{ namespace = "Fraud Team" }]
  }

  expect_failures = [var.bundle_readers]
}

run "a_repository_has_a_name" {
  command = plan

  variables {
    repositories = ["Models/"]
  }

  expect_failures = [var.repositories]
}

run "tags_of_our_own" {
  command = plan

  variables {
    tags = { "aws:owner" = "me" }
  }

  expect_failures = [var.tags]
}
