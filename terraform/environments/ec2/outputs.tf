output "address" {
  description = "Address that models are reached at."
  value       = module.ec2.address
}

output "session" {
  description = "Command that opens a shell on the machine."
  value       = "aws ssm start-session --region ${var.region} --target ${module.ec2.instance_id}"
}

output "billed" {
  description = "What is billed by the hour that the machine runs, and its disk."
  value       = module.ec2.billed
}
