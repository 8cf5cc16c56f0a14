{{/* Not empty where `helm test` proves the wiring: it was asked for, or there is a Prometheus to ask. */}}
{{- define "leeway.verify" -}}
{{- $wanted := toString .Values.helmTest.verify -}}
{{- $url := .Values.operator.prometheus.url -}}
{{- if and (eq $wanted "true") (not $url) -}}
{{- fail "helmTest.verify: operator.prometheus.url is expected beside it, the Prometheus that scrapes the models" -}}
{{- end -}}
{{- $auto := and (eq $wanted "auto") $url (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor") -}}
{{- if and .Values.helmTest.enabled (or (eq $wanted "true") $auto) -}}
true
{{- end -}}
{{- end -}}

{{/* Metadata of an object that is there while the proof runs: (list $ "name" weight). */}}
{{- define "leeway.verifyMetadata" -}}
name: {{ index . 1 }}
labels: {{- include "leeway.labels" (list (index . 0) "test") | nindent 2 }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ index . 2 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
