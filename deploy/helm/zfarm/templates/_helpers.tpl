{{- define "zfarm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "zfarm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "zfarm.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "zfarm.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "gateway"). */}}
{{- define "zfarm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "zfarm.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "zfarm.labels" -}}
{{ include "zfarm.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: zfarm
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Takes (dict "root" $ "image" with repository, tag, digest, "tag" for where it has none). */}}
{{- define "zfarm.image" -}}
{{- $registry := .root.Values.global.image.registry -}}
{{- $name := printf "%s%s" (ternary (printf "%s/" $registry) "" (ne $registry "")) .image.repository -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .tag .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "zfarm.ownImage" -}}
{{- include "zfarm.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "gateway"). */}}
{{- define "zfarm.serviceAccountName" -}}
{{- $account := index .root.Values.serviceAccounts .component -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "zfarm.fullname" .root) .component) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{- define "zfarm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "zfarm.processes" -}}
# Else Node is process 1, to which a SIGTERM is lost that comes before it has asked for any.
shareProcessNamespace: true
{{- end -}}

{{- define "zfarm.natsUrl" -}}
{{- if .Values.nats.url -}}
{{- .Values.nats.url -}}
{{- else if .Values.nats.bundled.enabled -}}
nats://{{ include "zfarm.fullname" . }}-nats:4222
{{- else -}}
{{- fail "nats.url is empty and nats.bundled.enabled is false: the farm needs a broker" -}}
{{- end -}}
{{- end -}}

{{/* What every process is told. Takes (dict "root" $ "component" "gateway"). */}}
{{- define "zfarm.commonEnv" -}}
{{- $values := .root.Values -}}
- { name: LOG_LEVEL, value: {{ $values.logLevel | quote }} }
- { name: OPS_PORT, value: "9090" }
- { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
- { name: NATS_URL, value: {{ include "zfarm.natsUrl" .root | quote }} }
- { name: NATS_STREAMS, value: {{ ternary $values.bootstrap.streams "require" (eq .component "bootstrap") }} }
- { name: DURABILITY, value: {{ $values.durability }} }
- { name: NATS_REPLICAS, value: {{ $values.nats.streamReplicas | quote }} }
- { name: FARM_SHARDS, value: {{ $values.shards | quote }} }
{{- if (index $values.nats.credentials .component).existingSecret }}
- { name: NATS_CREDS_FILE, value: /etc/zfarm/nats/user.creds }
{{- end }}
{{- if $values.tracing.endpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $values.tracing.endpoint | quote }} }
{{- end }}
{{- end -}}

{{/* "true" where the chart brings the object store, else nothing. */}}
{{- define "zfarm.hasBundledStore" -}}
{{- $store := .Values.objectStorage -}}
{{- if and $store.bundled.enabled (not $store.endpoint) -}}true{{- end -}}
{{- end -}}

{{- define "zfarm.storeEndpoint" -}}
{{- if include "zfarm.hasBundledStore" . -}}
http://{{ include "zfarm.fullname" . }}-store:9000
{{- else -}}
{{- required "objectStorage.endpoint is empty and objectStorage.bundled.enabled is false: pictures need an object store" .Values.objectStorage.endpoint -}}
{{- end -}}
{{- end -}}

{{/* The secret with the store's keys: the operator's, or for the bundled store one that is made. */}}
{{- define "zfarm.storeSecret" -}}
{{- $store := .Values.objectStorage -}}
{{- if and (include "zfarm.hasBundledStore" .) (not $store.existingSecret) -}}
{{- include "zfarm.fullname" . }}-store
{{- else -}}
{{- required "objectStorage.existingSecret is empty: it names the secret with the store's keys" $store.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "zfarm.storeEnv" -}}
{{- $store := .Values.objectStorage -}}
- { name: S3_ENDPOINT, value: {{ include "zfarm.storeEndpoint" . | quote }} }
{{- with $store.publicEndpoint }}
- { name: S3_PUBLIC_ENDPOINT, value: {{ . | quote }} }
{{- end }}
- { name: S3_BUCKET, value: {{ $store.bucket | quote }} }
- { name: S3_REGION, value: {{ $store.region | quote }} }
{{- $secret := include "zfarm.storeSecret" . }}
- { name: S3_ACCESS_KEY, valueFrom: { secretKeyRef: { name: {{ $secret | quote }}, key: {{ $store.accessKeyKey | quote }} } } }
- { name: S3_SECRET_KEY, valueFrom: { secretKeyRef: { name: {{ $secret | quote }}, key: {{ $store.secretKeyKey | quote }} } } }
{{- end -}}

{{/* What the chart sets, unless the operator does. Takes (dict "chart" LIST-AS-YAML "own" MAP). */}}
{{- define "zfarm.env" -}}
{{- $own := .own -}}
{{- range fromYamlArray .chart }}
{{- if not (hasKey $own .name) }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- range $name, $value := $own }}
- {{ dict "name" $name "value" (toString (ternary (int64 $value) $value (kindIs "float64" $value))) | toJson }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "component" "gateway"), and the "pool" of a worker. */}}
{{- define "zfarm.credentialMounts" -}}
{{- if (index .root.Values.nats.credentials .component).existingSecret }}
- { name: nats-credentials, mountPath: /etc/zfarm/nats, readOnly: true }
{{- end }}
{{- end -}}

{{- define "zfarm.credentialVolumes" -}}
{{- $credentials := index .root.Values.nats.credentials .component -}}
{{- if $credentials.existingSecret }}
- name: nats-credentials
  secret:
    secretName: {{ $credentials.existingSecret }}
    defaultMode: 0440
    items: [{ key: {{ default (printf "worker-%s.creds" .pool) $credentials.key }}, path: user.creds }]
{{- end }}
{{- end -}}

{{/* Takes the component's values: gateway, scheduler or a pool. */}}
{{- define "zfarm.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Spread over nodes and zones as far as that goes. Takes what selectorLabels takes. */}}
{{- define "zfarm.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "zfarm.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* A pool with what it does not say. Takes (dict "root" $ "name" NAME "pool" POOL). */}}
{{- define "zfarm.pool" -}}
{{- mergeOverwrite (deepCopy .root.Values.poolDefaults) (deepCopy (default dict .pool)) | toYaml -}}
{{- end -}}

{{/* A pod's name is its worker's, of 63 characters at most: 17 of them are the cluster's own. */}}
{{- define "zfarm.workerName" -}}
{{- $name := printf "%s-worker-%s" (include "zfarm.fullname" .root) .name -}}
{{- if gt (len $name) 46 -}}
{{- fail (printf "pools.%s: %s has %d characters, at most 46 are allowed: shorten the pool's name or set fullnameOverride" .name $name (len $name)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]*$" $name) -}}
{{- fail (printf "pools.%s: %s must be of a-z 0-9 - and start with a letter: set fullnameOverride" .name $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* What the autoscaler minds: AUTOSCALER_FILE. */}}
{{- define "zfarm.autoscalerFile" -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.pools -}}
{{- $pool := include "zfarm.pool" (dict "root" $ "name" $name "pool" $own) | fromYaml -}}
{{- $_ := set $pools $name (dict
  "target" (include "zfarm.workerName" (dict "root" $ "name" $name))
  "min" $pool.min "max" $pool.max "warm" $pool.warm "weight" $pool.weight
  "gpusPerWorker" (max 1 (int $pool.gpu.count))
  "startWithinSeconds" $pool.startWithinSeconds
  "idleSecondsToZero" $pool.idleSecondsToZero
  "holdSeconds" $pool.holdSeconds) -}}
{{- end -}}
{{- $file := dict "tickSeconds" .Values.autoscaler.tickSeconds "pools" $pools -}}
{{- if .Values.autoscaler.gpuBudget -}}
{{- $_ := set $file "gpuBudget" .Values.autoscaler.gpuBudget -}}
{{- end -}}
{{- $file | toPrettyJson -}}
{{- end -}}
