{{/* Base of the names of everything that is not a model's: the release, and "leeway" unless it says so itself. */}}
{{- define "leeway.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of cluster-scoped objects: two platforms in one cluster never share one. */}}
{{- define "leeway.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "leeway.fullname" .) -}}
{{- end -}}

{{/* Labels that select the pods of one component: (list $ "operator"). */}}
{{- define "leeway.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object: (list $ "operator"). */}}
{{- define "leeway.labels" -}}
{{- $root := index . 0 -}}
{{ include "leeway.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: leeway
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Full name of an image: (list $ $.Values.images.operators). */}}
{{- define "leeway.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- printf "%s/%s:%s" $root.Values.images.registry $image.repository (default $root.Chart.AppVersion $image.tag) -}}
{{- end -}}

{{/* Level of what one program logs: (list $ "operator"). */}}
{{- define "leeway.logLevel" -}}
{{- $logs := (index . 0).Values.logs -}}
{{- default $logs.level (get $logs.levels (index . 1)) -}}
{{- end -}}

{{/* What PodSecurity restricted asks of a container, and a read-only root file system besides. */}}
{{- define "leeway.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* The same for a pod of our own. */}}
{{- define "leeway.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "leeway.imagePullSecrets" -}}
{{- range .Values.imagePullSecrets }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{/* Where the operator tells KServe's logger to send events. */}}
{{- define "leeway.sinkURL" -}}
{{- if .Values.driftDetector.enabled -}}
http://{{ include "leeway.fullname" . }}-drift-detector.{{ .Release.Namespace }}.svc.cluster.local:80/
{{- else -}}
{{- required "driftDetector.url: the operator needs the address of a drift detector when driftDetector.enabled is false, for example http://leeway-drift-detector.leeway.svc.cluster.local:80/" .Values.driftDetector.url -}}
{{- end -}}
{{- end -}}

{{/* A NetworkPolicy peer for a namespace by name; any namespace when the name is empty. */}}
{{- define "leeway.namespaceSelector" -}}
{{- if . -}}
matchLabels: {kubernetes.io/metadata.name: {{ . }}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* A NetworkPolicy egress rule for names: cluster DNS, wherever it runs. */}}
{{- define "leeway.dnsEgress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}
