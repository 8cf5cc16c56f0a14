# What makes a cluster of the machine: k3s, whose own controller installs the releases and goes on until each has what
# it needs. Where a release has values of one's own, they are laid over as a HelmChartConfig.

locals {
  charts = flatten([for name, release in var.releases : concat(
    [{
      apiVersion = "helm.cattle.io/v1"
      kind       = "HelmChart"
      metadata   = { name = name, namespace = "kube-system" }
      spec = {
        chart           = release.chart
        version         = release.version
        targetNamespace = release.namespace
        createNamespace = true
        valuesContent   = try(release.values[0], "")
      }
    }],
    [for values in slice(release.values, min(1, length(release.values)), length(release.values)) : {
      apiVersion = "helm.cattle.io/v1"
      kind       = "HelmChartConfig"
      metadata   = { name = name, namespace = "kube-system" }
      spec       = { valuesContent = values }
    }],
  )])

  manifests = "/var/lib/rancher/k3s/server/manifests"

  cloud_config = {
    package_update  = true
    package_upgrade = true
    write_files = [
      {
        path        = "/etc/rancher/k3s/config.yaml"
        permissions = "0600"
        content = yamlencode({
          # Envoy Gateway is the gateway.
          disable               = ["traefik"]
          secrets-encryption    = true
          write-kubeconfig-mode = "0600"
        })
      },
      { path = "${local.manifests}/leeway-objects.yaml", permissions = "0600", content = join("---\n", var.objects) },
      { path = "${local.manifests}/leeway-releases.yaml", permissions = "0600", content = join("---\n", [for each in local.charts : yamlencode(each)]) },
      { path = "/usr/local/sbin/install-k3s", permissions = "0755", content = file("${path.module}/install-k3s.sh") },
    ]
    runcmd = [["/usr/local/sbin/install-k3s", var.k3s_version]]
  }

  cloud_init = "#cloud-config\n${yamlencode(local.cloud_config)}"
}
