{{/*
The texts of files/alertmanager are templates of Alertmanager's, which Helm only copies: the v1alpha1 kind knows no
template files, so each receiver holds them itself.
*/}}
{{- define "leeway.alertText" -}}
{{- $root := index . 0 -}}
{{- $root.Files.Get (printf "files/alertmanager/%s.tmpl" (index . 1)) | trimSuffix "\n" -}}
{{- end -}}

{{/* A mapping with some keys of another in the place of its own, also empty ones, as JSON: (list $base $own). */}}
{{- define "leeway.overlaid" -}}
{{- $whole := deepCopy (index . 0) -}}
{{- range $key, $value := default dict (index . 1) -}}
{{- $_ := set $whole $key $value -}}
{{- end -}}
{{- $whole | toJson -}}
{{- end -}}

{{/* Not empty where an AlertmanagerConfig is wanted: it was asked for, or its kind is there and somebody to tell. */}}
{{- define "leeway.alertmanagerConfig" -}}
{{- $config := .Values.monitoring.alertmanagerConfig -}}
{{- $people := or $config.slack.existingSecret $config.slack.severities $config.email.to $config.teams $config.watchdog.existingSecret -}}
{{- $enabled := toString $config.enabled -}}
{{- if and (eq $enabled "true") (not $people) -}}
{{- fail "monitoring.alertmanagerConfig.enabled is true, but nobody is named to be told: set slack.existingSecret, email.to or teams beside it" -}}
{{- end -}}
{{- if and $people (or (eq $enabled "true") (and (eq $enabled "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1alpha1/AlertmanagerConfig"))) -}}
true
{{- end -}}
{{- end -}}

{{/*
The receivers of one group of people: (list $ "default" $slack $email). "once" is for what has no end that anybody
waits for: it sends no word when the alert resolves.
*/}}
{{- define "leeway.alertReceivers" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $slack := index . 2 -}}
{{- $email := index . 3 -}}
{{- range $kind := list "critical" "warning" "warning-once" "info-once" }}
{{- $severity := $kind | trimSuffix "-once" }}
{{- $resolved := not (hasSuffix "-once" $kind) }}
{{- $there := include "leeway.overlaid" (list $slack (get $slack.severities $severity)) | fromJson }}
{{- if and $there.channel (not $there.existingSecret) }}
{{- fail (printf "monitoring.alertmanagerConfig: the channel %s has no webhook; name the Secret that holds it in slack.existingSecret" $there.channel) }}
{{- end }}
- name: {{ $name }}-{{ $kind }}
  {{- if $there.existingSecret }}
  slackConfigs:
    - {{ include "leeway.slackConfig" (list $root $there $resolved) | nindent 6 | trim }}
  {{- end }}
  {{- if and $email.to (has $severity $email.severities) }}
  emailConfigs:
    - {{ include "leeway.emailConfig" (list $root $email $resolved) | nindent 6 | trim }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "leeway.slackConfig" -}}
{{- $root := index . 0 -}}
{{- $slack := index . 1 -}}
{{- $title := include "leeway.alertText" (list $root "title") -}}
apiURL: {name: {{ $slack.existingSecret }}, key: url}
{{- with $slack.channel }}
channel: {{ . | quote }}
{{- end }}
sendResolved: {{ index . 2 }}
color: {{ include "leeway.alertText" (list $root "slack/color") | toJson }}
title: {{ $title | toJson }}
titleLink: {{ include "leeway.alertText" (list $root "button/dashboard-url") | toJson }}
# What a phone shows before it is unlocked.
fallback: {{ $title | toJson }}
text: |-
  {{- include "leeway.alertText" (list $root "slack/text") | nindent 2 }}
mrkdwnIn: [text]
actions:
  {{- range $button := list "runbook" "dashboard" "silence" }}
  - type: button
    text: {{ include "leeway.alertText" (list $root (printf "button/%s" $button)) | toJson }}
    url: {{ include "leeway.alertText" (list $root (printf "button/%s-url" $button)) | toJson }}
  {{- end }}
{{- end -}}

{{- define "leeway.emailConfig" -}}
{{- $root := index . 0 -}}
{{- $email := index . 1 -}}
to: {{ $email.to | quote }}
from: {{ required "monitoring.alertmanagerConfig.email.from: e-mail needs a sender, for example leeway@example.com" $email.from | quote }}
smarthost: {{ required "monitoring.alertmanagerConfig.email.smarthost: e-mail needs an SMTP server, for example smtp.example.com:587" $email.smarthost | quote }}
{{- with $email.username }}
authUsername: {{ . | quote }}
authPassword: {name: {{ required "monitoring.alertmanagerConfig.email.existingSecret: a username needs a Secret with the key password" $email.existingSecret }}, key: password}
{{- end }}
requireTLS: {{ $email.requireTLS }}
sendResolved: {{ index . 2 }}
headers:
  - {key: Subject, value: {{ include "leeway.alertText" (list $root "title") | toJson }}}
# Plain text alone: an empty page keeps Alertmanager from sending its own beside it.
html: ""
text: |-
  {{- include "leeway.alertText" (list $root "email/text") | nindent 2 }}

  {{- range $button := list "runbook" "dashboard" "silence" }}
  {{ include "leeway.alertText" (list $root (printf "button/%s" $button)) }}: {{ include "leeway.alertText" (list $root (printf "button/%s-url" $button)) }}
  {{- end }}
{{- end -}}

{{/* Routes of one group of people by severity, for a parent that sends to its warnings: (list $ "default"). */}}
{{- define "leeway.alertRoutes" -}}
{{- $repeat := (index . 0).Values.monitoring.alertmanagerConfig.repeatInterval -}}
{{- $name := index . 1 -}}
- receiver: {{ $name }}-critical
  matchers: [{name: severity, value: critical, matchType: "="}]
  repeatInterval: {{ $repeat.critical }}
- receiver: {{ $name }}-info-once
  matchers: [{name: severity, value: info, matchType: "="}]
  repeatInterval: 1y
# That a version was rolled back does not pass.
- receiver: {{ $name }}-warning-once
  matchers: [{name: alertname, value: RolloutRolledBack, matchType: "="}]
  repeatInterval: 1y
{{- end -}}

{{/* Matchers of label → value, or values, as regular expressions. */}}
{{- define "leeway.alertMatchers" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ kindIs "slice" $value | ternary $value (list $value) | join "|" | quote }}, matchType: "=~"}
{{- end }}
{{- end -}}
