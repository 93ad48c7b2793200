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

{{- define "zfarm.modelMounts" -}}
{{- if eq .kind "image" }}
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
