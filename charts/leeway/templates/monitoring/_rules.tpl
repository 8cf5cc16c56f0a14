{{/*
Alerts and recording rules are files, one per alert or group: files/rules. In them {{ }} is Helm's and [[ ]] is
Prometheus'. A file says which component of the release it is about (`component`), and leads to a dashboard.
*/}}

{{/* Not empty where PrometheusRules are wanted: they were asked for, or their kind is there. */}}
{{- define "leeway.rules" -}}
{{- $enabled := toString .Values.monitoring.rules.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule")) -}}
true
{{- end -}}
{{- end -}}

{{/* Components whose rules this release has, as JSON: its models, and what it installs besides. */}}
{{- define "leeway.rules.components" -}}
{{- $found := list "release" -}}
{{- if .Values.models }}{{ $found = append $found "models" }}{{ end -}}
{{- if .Values.operator.enabled }}{{ $found = append $found "operator" }}{{ end -}}
{{- if .Values.driftDetector.enabled }}{{ $found = append $found "drift-detector" }}{{ end -}}
{{- toJson $found -}}
{{- end -}}

{{/*
Burn rates and their windows, as YAML: "Site Reliability Workbook", chapter 5, table 5-8, for a budget of 30 days. An
alert needs both windows: the long one for how much is gone, the short one for whether it still goes on.
*/}}
{{- define "leeway.rules.burns" -}}
- {speed: Fast, burn: 14.4, long: 1h, short: 5m, for: 2m}
- {speed: Fast, burn: 6, long: 6h, short: 30m, for: 15m}
- {speed: Slow, burn: 3, long: 1d, short: 2h, for: 1h}
- {speed: Slow, burn: 1, long: 3d, short: 6h, for: 3h}
{{- end -}}

{{/* Windows over which the share of bad requests is recorded, besides the 5m that they are made of; as JSON. */}}
{{- define "leeway.rules.windows" -}}
{{- $windows := list -}}
{{- range include "leeway.rules.burns" . | fromYamlArray }}{{ $windows = append (append $windows .short) .long }}{{ end -}}
{{- without (uniq $windows) "5m" | toJson -}}
{{- end -}}

{{/* The release's models with their objectives, as JSON {name: {team, slo}}. */}}
{{- define "leeway.rules.models" -}}
{{- $found := dict -}}
{{- range $name, $model := include "leeway.models" . | fromJson -}}
  {{- $slo := mergeOverwrite (deepCopy $.Values.monitoring.rules.slo) (deepCopy $model.slo) -}}
  {{- $_ := set $found $name (dict "team" $model.team "slo" $slo) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Matchers of the series that are about this release's models. */}}
{{- define "leeway.rules.selector" -}}
namespace={{ .Release.Namespace | quote }},model=~{{ keys .Values.models | sortAlpha | join "|" | quote }}
{{- end -}}

{{/* Matchers of the Kubernetes series that are about the pods of this release's models. */}}
{{- define "leeway.rules.pods" -}}
namespace={{ .Release.Namespace | quote }},pod=~"({{ keys .Values.models | sortAlpha | join "|" }})-[ab]-predictor-.+"
{{- end -}}

{{/* One more matcher for series about any model the platform looks after; nothing where those are all. */}}
{{- define "leeway.rules.watched" -}}
{{- with .Values.operator.watchNamespace }},namespace={{ quote . }}{{ end -}}
{{- end -}}

{{/* Seconds of a duration of one unit, as a float: the label `le` of a bucket. */}}
{{- define "leeway.rules.seconds" -}}
{{- $seconds := hasSuffix "ms" . | ternary (divf (trimSuffix "ms" . | float64) 1000.0) (trimSuffix "s" . | float64) -}}
{{- $text := toString $seconds -}}
{{- contains "." $text | ternary $text (printf "%s.0" $text) -}}
{{- end -}}

{{/*
Per model, the rate of a server's counter over five minutes: (list $ selector). Copies of requests, which a shadow step
sends to a slot that answers nobody, are left out.
*/}}
{{- define "leeway.rules.answered" -}}
sum by (namespace, model) (
  label_replace(rate({{ index . 1 }}[5m]), "slot", "$1", "leeway_dev_slot", "(.+)")
  unless on (namespace, model, slot) (
    leeway_rollout_weight == 0 and on (namespace, model) leeway_rollout_phase{phase="Shadow"} == 1
  )
)
{{- end -}}

{{/*
Both alerts of one objective, as YAML: (dict "root" $ "alert" "speed" "severity" "summary" "bad" "objective" "what"), where
`bad` is what is counted against `objective`, and `what` its words for a description.
*/}}
{{- define "leeway.rules.burning" -}}
{{- $models := include "leeway.rules.selector" .root -}}
{{- $given := . -}}
{{- range include "leeway.rules.burns" . | fromYamlArray }}
{{- if eq .speed $given.speed }}
{{- $allowed := printf "on (namespace, model) %v * (1 - model:%s:ratio)" .burn $given.objective }}
- alert: {{ $given.alert }}
  about: model
  expr: |-
    model:{{ $given.bad }}:ratio_rate{{ .long }}{ {{- $models -}} } > {{ $allowed }}
    and on (namespace, model)
    model:{{ $given.bad }}:ratio_rate{{ .short }}{ {{- $models -}} } > {{ $allowed }}
    and on (namespace, model)
    60 * sum_over_time(model:{{ $given.bad }}:rate5m{ {{- $models -}} }[{{ .long }}])
    >= on (namespace, model) model:leeway_slo_minimum:failures
  for: {{ .for }}
  labels: {severity: {{ $given.severity }}, long_window: {{ .long }}, short_window: {{ .short }}}
  annotations:
    summary: {{ $given.summary }}
    description: >-
      [[ $value | humanizePercentage ]] of the {{ $given.what }} over the last {{ .long }}. At this rate the budget of 30
      days is gone in less than {{ divf 30.0 .burn | printf "%.2g" }} days.
      {{ include "leeway.rules.serving" $given.root }}
{{- end }}
{{- end }}
{{- end -}}

{{/* For a description: which versions have the traffic of the model that an alert is about. */}}
{{- define "leeway.rules.serving" -}}
Traffic goes to [[ range $i, $_ := query (printf "max by (slot, version) (leeway_rollout_weight{namespace='%s',model='%s'}) > 0" $labels.namespace $labels.model) | sortByLabel "slot" ]][[ if $i ]] and [[ end ]]version [[ .Labels.version ]] ([[ .Value ]]%)[[ else ]]versions that the operator does not tell[[ end ]].
{{- end -}}

{{/* For a description: the time that a prediction of the model may take. */}}
{{- define "leeway.rules.threshold" -}}
[[ with query (printf "model:leeway_latency_threshold:seconds{namespace='%s',model='%s'}" $labels.namespace $labels.model) ]][[ . | first | value | humanizeDuration ]][[ end ]]
{{- end -}}

{{/* For a description: the features that a detector finds furthest over their threshold. */}}
{{- define "leeway.rules.features" -}}
[[ with query (printf "topk(3, leeway_drift_feature_score_ratio{namespace='%s',model='%s',version='%s',detector='%s'} >= 1)" $labels.namespace $labels.model $labels.version $labels.detector) | sortByLabel "feature" ]] Over their threshold: [[ range $i, $_ := . ]][[ if $i ]], [[ end ]][[ .Labels.feature ]] ([[ printf "%.1f" .Value ]] times)[[ end ]].[[ end ]]
{{- end -}}

{{/*
A rule as Prometheus takes it, as YAML: (list $ rule dashboard). An alert gets the labels and links that all have;
`about: model` are those whose series name a model, by `namespace` and `model`.
*/}}
{{- define "leeway.rules.rule" -}}
{{- $root := index . 0 -}}
{{- $rule := omit (index . 1) "about" -}}
{{- if $rule.alert -}}
  {{- $monitoring := $root.Values.monitoring -}}
  {{- $labels := dict "namespace" $root.Release.Namespace -}}
  {{- $variables := "" -}}
  {{- if eq (default "" (index . 1).about) "model" -}}
    {{- $_ := set $labels "model_namespace" "[[ $labels.namespace ]]" -}}
    {{- /* Never empty: Prometheus keeps such an alert under the text of this template, and after a restart does not find it. */}}
    {{- $_ := set $labels "team" "[[ $team := `` ]][[ with query (printf \"model:leeway_release:info{namespace='%s',model='%s'}\" $labels.namespace $labels.model) ]][[ $team = . | first | label \"team\" ]][[ end ]][[ or $team `none` ]]" -}}
    {{- $variables = "?var-namespace=[[ $labels.namespace ]]&var-model=[[ $labels.model ]]" -}}
  {{- end -}}
  {{- $_ := set $rule "labels" (merge $labels $rule.labels) -}}
  {{- $annotations := dict "runbook_url" (printf "%s/%s.md" (trimSuffix "/" $monitoring.rules.runbookURL) $rule.alert) -}}
  {{- with $monitoring.grafana.url -}}
    {{- $_ := set $annotations "dashboard_url" (printf "%s/d/%s%s" (trimSuffix "/" .) (index $ 2) $variables) -}}
  {{- end -}}
  {{- $_ := set $rule "annotations" (merge $annotations $rule.annotations) -}}
{{- end -}}
{{- toYaml $rule -}}
{{- end -}}
