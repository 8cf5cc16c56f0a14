output "instance_id" {
  description = "Id of the machine, for `aws ssm start-session --target`."
  value       = aws_instance.main.id
}

output "address" {
  description = "Address that models are reached at; a machine with hours has another one after each start."
  value       = aws_instance.main.public_ip
}

output "billed" {
  description = "What is billed by the hour that the machine runs, and its disk: docs/terraform.md reckons with it."
  value = {
    addresses = 1
    nodes     = { "${var.instance_type} ${var.spot ? "spot" : "on demand"}" = 1 }
    disk_gb   = var.disk_gb
  }
}
