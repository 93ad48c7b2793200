{{/* Where the worker finds its model. Takes (dict "name" POOL "model" MODEL). */}}
{{- define "zfarm.modelDir" -}}
{{- if eq .model.kind "nano" -}}
/app/models/z-image-nano
{{- else if eq .model.kind "path" -}}
{{- required (printf "pools.%s.model.path is empty" .name) .model.path -}}
{{- else -}}
/models
{{- end -}}
{{- end -}}

{{/* A model in a bucket comes before the worker starts. Takes (dict "root" $ "pool" NAME "settings" POOL "image" IMAGE). */}}
{{- define "zfarm.modelFetch" -}}
{{- if eq .settings.model.kind "s3" }}
{{- $s3 := .settings.model.s3 }}
{{- $store := .root.Values.objectStorage }}
{{- $secret := $s3.existingSecret | default (include "zfarm.storeSecret" .root) }}
initContainers:
  - name: model
    image: {{ .image }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args:
      - cli/bin/zfarm.mjs
      - model
      - fetch
      - {{ required (printf "pools.%s.model.s3.prefix is empty" .pool) $s3.prefix | quote }}
      - /models
    securityContext: {{- include "zfarm.containerSecurity" . | nindent 6 }}
    env:
      - { name: S3_ENDPOINT, value: {{ $s3.endpoint | default (include "zfarm.storeEndpoint" .root) | quote }} }
      - { name: S3_REGION, value: {{ default $store.region $s3.region | quote }} }
      - { name: S3_BUCKET, value: {{ required (printf "pools.%s.model.s3.bucket is empty" .pool) $s3.bucket | quote }} }
      - { name: S3_ACCESS_KEY, valueFrom: { secretKeyRef: { name: {{ $secret | quote }}, key: {{ $store.accessKeyKey | quote }} } } }
      - { name: S3_SECRET_KEY, valueFrom: { secretKeyRef: { name: {{ $secret | quote }}, key: {{ $store.secretKeyKey | quote }} } } }
    resources:
      requests: { cpu: "1", memory: 1Gi }
      limits: { memory: 1Gi }
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      - { name: model, mountPath: /models }
{{- end }}
{{- end -}}

{{- define "zfarm.modelMounts" -}}
{{- if or (eq .kind "image") (eq .kind "s3") }}
- { name: model, mountPath: /models, readOnly: true }
{{- else if eq .kind "pvc" }}
- name: model
  mountPath: /models
  readOnly: true
  {{- with .pvc.subPath }}
  subPath: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "zfarm.modelVolumes" -}}
{{- if eq .kind "image" }}
- name: model
  image:
    reference: {{ required "model.image.reference is empty" .image.reference | quote }}
    pullPolicy: {{ .image.pullPolicy }}
{{- else if eq .kind "pvc" }}
- name: model
  persistentVolumeClaim:
    claimName: {{ required "model.pvc.claimName is empty" .pvc.claimName }}
    readOnly: true
{{- else if eq .kind "s3" }}
- { name: model, emptyDir: { sizeLimit: {{ .s3.size }} } }
{{- end }}
{{- end -}}

{{/* Adapters, a gigabyte of drafts beside them, and no more. Takes the pool's loras. */}}
{{- define "zfarm.loraVolume" -}}
{{- $size := add (int64 .diskBytes) 1073741824 -}}
{{- if .storageClassName }}
- name: loras
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ .storageClassName }}
        resources: { requests: { storage: "{{ $size }}" } }
{{- else }}
- { name: loras, emptyDir: { sizeLimit: "{{ $size }}" } }
{{- end }}
{{- end -}}

{{/* A device is asked for in the limits, which are its requests too. Takes the pool. */}}
{{- define "zfarm.workerResources" -}}
{{- $resources := deepCopy .resources -}}
{{- if .gpu.count -}}
{{- $limits := default dict $resources.limits -}}
{{- $_ := set $resources "limits" (set $limits .gpu.resourceName (int .gpu.count)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
