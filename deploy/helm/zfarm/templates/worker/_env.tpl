{{/* Takes (dict "root" $ "component" "worker" "pool" NAME "settings" POOL). */}}
{{- define "zfarm.workerEnv" -}}
{{- $loras := .settings.loras -}}
{{ include "zfarm.commonEnv" . }}
{{ include "zfarm.storeEnv" .root }}
- { name: WORKER_ID, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: WORKER_NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
- { name: WORKER_POOL, value: {{ .pool }} }
- { name: WORKER_DEVICE, value: {{ .settings.device | quote }} }
{{- if .settings.gpu.memoryBytes }}
- { name: WORKER_MEMORY_BYTES, value: {{ int64 .settings.gpu.memoryBytes | quote }} }
{{- else if and (hasPrefix "cuda" .settings.device) (not (hasKey .settings.env "WORKER_MEMORY_BYTES")) }}
{{- fail (printf "pools.%s.gpu.memoryBytes is 0: it must say what the model may take of a card" .pool) }}
{{- end }}
- { name: WORKER_WEIGHTS, value: {{ .settings.weights }} }
- { name: WORKER_SLOTS, value: {{ .settings.slots | quote }} }
- { name: WORKER_LORA_DIR, value: /var/lib/zfarm/loras }
- { name: WORKER_LORA_DISK_BYTES, value: {{ int64 $loras.diskBytes | quote }} }
{{- with $loras.ramBytes }}
- { name: WORKER_LORA_RAM_BYTES, value: {{ int64 . | quote }} }
{{- end }}
{{- with $loras.ranks }}
- { name: WORKER_LORA_RANKS, value: {{ . | quote }} }
{{- end }}
- { name: MODEL_DIR, value: {{ include "zfarm.modelDir" (dict "name" .pool "model" .settings.model) | quote }} }
{{- end -}}
