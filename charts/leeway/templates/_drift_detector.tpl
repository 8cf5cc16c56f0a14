{{/* The detector's configuration, as the JSON that `leeway-drift serve --config` reads. */}}
{{- define "leeway.driftDetectorConfig" -}}
{{- $detector := .Values.driftDetector -}}
{{- $store := pick $detector.store "enabled" "sample" "retention" -}}
{{- /* Helm drops a null; the detector wants to be told that nothing was chosen. */ -}}
{{- $window := dict "rows" $detector.window.rows "seconds" $detector.window.seconds -}}
{{- dict "backend" $detector.backend "window" $window "lateness" $detector.lateness "streams" (int $detector.streams) "store" $store | toPrettyJson -}}
{{- end -}}

{{/* Fails where several detectors could not share what they see; renders nothing. */}}
{{- define "leeway.driftDetectorShares" -}}
{{- $detector := .Values.driftDetector -}}
{{- if and (gt (int $detector.replicas) 1) (not $detector.redis.existingSecret) -}}
  {{- fail (printf "driftDetector.replicas: %d need driftDetector.redis.existingSecret, since a window is only whole where all counts meet" (int $detector.replicas)) -}}
{{- end -}}
{{- if $detector.redis.existingSecret -}}
  {{- if ne $detector.backend "native" -}}
    {{- fail (printf "driftDetector.backend: native is expected beside driftDetector.redis.existingSecret, since counts are shared and rows, which %s needs, are not" $detector.backend) -}}
  {{- end -}}
  {{- if and $detector.store.enabled (not $detector.store.existingSecret) -}}
    {{- fail "driftDetector.store.existingSecret: expected beside driftDetector.redis.existingSecret, since a file on one volume is no store for several detectors; or store.enabled: false" -}}
  {{- end -}}
  {{- if $detector.persistence.enabled -}}
    {{- fail "driftDetector.persistence.enabled: false is expected beside driftDetector.redis.existingSecret, which keeps the windows; a volume has one detector" -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* The image of the backend: Alibi-Detect and what it needs is most of the one, and not in the other. */}}
{{- define "leeway.driftDetectorImage" -}}
{{- $image := ternary .Values.images.driftDetectorNative .Values.images.driftDetector (eq .Values.driftDetector.backend "native") -}}
{{- include "leeway.image" (list . $image) -}}
{{- end -}}

{{/* Requests and limits of the detector: those given, else what its backend needs. */}}
{{- define "leeway.driftDetectorResources" -}}
{{- if .Values.driftDetector.resources -}}
{{- toYaml .Values.driftDetector.resources -}}
{{- else if eq .Values.driftDetector.backend "native" -}}
requests: {cpu: 20m, memory: 192Mi}
limits: {memory: 512Mi}
{{- else -}}
requests: {cpu: 50m, memory: 448Mi}
limits: {memory: 1Gi}
{{- end -}}
{{- end -}}

{{/* Hostnames of the feedback route, as a JSON list; refused where a model has one of them or the listener has not. */}}
{{- define "leeway.feedbackHostnames" -}}
{{- $hostnames := .Values.driftDetector.feedback.route.hostnames -}}
{{- if not $hostnames -}}
  {{- if not (hasPrefix "*." .Values.gateway.hostname) -}}
    {{- fail "driftDetector.feedback.route.hostnames: at least one is expected when gateway.hostname is not a wildcard" -}}
  {{- end -}}
  {{- $hostnames = list (printf "feedback.%s" (trimPrefix "*." .Values.gateway.hostname)) -}}
{{- end -}}
{{- $models := include "leeway.models" . | fromJson -}}
{{- range $hostname := $hostnames -}}
  {{- include "leeway.covered" (list $ "driftDetector.feedback.route.hostnames" $hostname) -}}
  {{- range $name, $model := $models -}}
    {{- if has $hostname $model.hostnames -}}
      {{- fail (printf "driftDetector.feedback.route.hostnames: %s is a hostname of the model %s; feedback needs one of its own" $hostname $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson $hostnames -}}
{{- end -}}
