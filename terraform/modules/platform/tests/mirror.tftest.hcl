# In a file of its own, since a state that had a version keeps it.
mock_provider "helm" {}

run "a_mirror_of_charts" {
  variables {
    charts = { leeway = "/srv/charts/leeway-0.2.0.tgz", kserve = "oci://registry.example.com/kserve/kserve-resources" }
  }

  assert {
    condition     = helm_release.leeway[0].version != "0.2.0" && helm_release.kserve[0].version == "v0.20.0"
    error_message = "A chart in a file has the version that lies there; one of a registry has the version that is asked for."
  }
}
