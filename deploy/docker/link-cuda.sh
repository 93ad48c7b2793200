#!/bin/sh
# Shows the onnxruntime-node below a folder the provider that fetch-cuda.sh put into FOLDER/cuda,
# if it is of the same version. A link, so that its gigabytes are a layer of their own.
# Usage: link-cuda.sh FOLDER
set -eu
here=$(dirname "$(readlink -f "$0")")
cd "$1"

wanted=$(sed -n 's/^onnxruntime-gpu==\([0-9.]*\).*/\1/p' "$here/cuda-wheels.txt")
found=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' node_modules/onnxruntime-node/package.json)
if [ "$wanted" != "$found" ]; then
  echo "cuda-wheels.txt has onnxruntime $wanted, the image has $found: they must be the same" >&2
  exit 1
fi

runtime=$(ls -d node_modules/onnxruntime-node/bin/napi-v*/linux/x64)
for library in cuda/libonnxruntime_providers_shared.so cuda/libonnxruntime_providers_cuda.so; do
  test -f "$library"
  ln -s "$(readlink -f "$library")" "$runtime"
done
