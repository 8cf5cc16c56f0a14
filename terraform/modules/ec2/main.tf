data "aws_partition" "current" {}

# Ubuntu, since its images carry the agent that lets people in without an open port.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

################################################################################
# Network: one public subnet, one open port
################################################################################

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/24"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(var.tags, { Name = "${var.name}-unused" })
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = aws_vpc.main.cidr_block
  tags       = merge(var.tags, { Name = var.name })
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_route" "main" {
  route_table_id         = aws_route_table.main.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "main" {
  subnet_id      = aws_subnet.main.id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "main" {
  name        = var.name
  description = "HTTPS to the models from the named networks, and nothing else"
  vpc_id      = aws_vpc.main.id
  tags        = merge(var.tags, { Name = var.name })
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = toset(var.clients)

  security_group_id = aws_security_group.main.id
  description       = "HTTPS to the models"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Images, charts and the agent's own service.
resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.main.id
  description       = "Out"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

################################################################################
# Rights
################################################################################

resource "aws_iam_role" "main" {
  name = var.name
  tags = var.tags

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

# People come in by Session Manager, with their own name in the log: no SSH, no key.
resource "aws_iam_role_policy_attachment" "session" {
  role       = aws_iam_role.main.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "bundles" {
  count = length(var.bundle_buckets) > 0 ? 1 : 0

  name = "bundles"
  role = aws_iam_role.main.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:GetObject", Resource = [for bucket in var.bundle_buckets : "arn:${data.aws_partition.current.partition}:s3:::${bucket}/*"] },
      { Effect = "Allow", Action = "s3:ListBucket", Resource = [for bucket in var.bundle_buckets : "arn:${data.aws_partition.current.partition}:s3:::${bucket}"] },
    ]
  })
}

resource "aws_iam_instance_profile" "main" {
  name = var.name
  role = aws_iam_role.main.name
  tags = var.tags
}

################################################################################
# The machine
################################################################################

resource "aws_instance" "main" {
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.main.id
  vpc_security_group_ids      = [aws_security_group.main.id]
  associate_public_ip_address = true
  ebs_optimized               = true
  iam_instance_profile        = aws_iam_instance_profile.main.name
  # Compressed: a machine is given at most 16 KB.
  user_data_base64            = base64gzip(local.cloud_init)
  user_data_replace_on_change = true
  tags                        = merge(var.tags, { Name = var.name })

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # Pods that read bundles are one hop further away than the machine; without such, none gets at its role.
    http_put_response_hop_limit = length(var.bundle_buckets) > 0 ? 2 : 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.disk_gb
    encrypted   = true
    tags        = merge(var.tags, { Name = var.name })
  }

  dynamic "instance_market_options" {
    for_each = var.spot ? [1] : []

    content {
      market_type = "spot"

      spot_options {
        spot_instance_type             = "persistent"
        instance_interruption_behavior = "stop"
      }
    }
  }

  lifecycle {
    # A newer image is for a new machine; this one updates itself.
    ignore_changes = [ami]

    precondition {
      condition     = length(base64gzip(local.cloud_init)) < 16384
      error_message = "What the machine is told has ${length(base64gzip(local.cloud_init))} bytes, compressed; at most 16384 are taken. Keep the values shorter: models can be released later with kubectl."
    }
  }

  depends_on = [aws_route.main, aws_route_table_association.main]
}

################################################################################
# Hours
################################################################################

resource "aws_iam_role" "hours" {
  count = var.hours == null ? 0 : 1

  name = "${var.name}-hours"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "scheduler.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "hours" {
  count = var.hours == null ? 0 : 1

  name = "start-and-stop"
  role = aws_iam_role.hours[0].name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["ec2:StartInstances", "ec2:StopInstances"], Resource = aws_instance.main.arn }]
  })
}

resource "aws_scheduler_schedule" "hours" {
  for_each = var.hours == null ? {} : { start = var.hours.start, stop = var.hours.stop }

  name                         = "${var.name}-${each.key}"
  schedule_expression          = each.value
  schedule_expression_timezone = var.hours.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:ec2:${each.key}Instances"
    role_arn = aws_iam_role.hours[0].arn
    input    = jsonencode({ InstanceIds = [aws_instance.main.id] })
  }
}
