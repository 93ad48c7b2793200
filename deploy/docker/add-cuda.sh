#!/bin/sh
# Puts the CUDA provider of onnxruntime-node and the libraries that it loads into a folder that
# assemble.sh made, each pinned by its checksum, and checks that the provider finds all of them.
# Usage: add-cuda.sh TARGET
set -eu
here=$(dirname "$(readlink -f "$0")")
target=$(readlink -f "$1")
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT

wanted=$(sed -n 's/^onnxruntime-gpu==\([0-9.]*\).*/\1/p' "$here/cuda-wheels.txt")
found=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$target/node_modules/onnxruntime-node/package.json")
if [ "$wanted" != "$found" ]; then
  echo "cuda-wheels.txt has onnxruntime $wanted, the image has $found: they must be the same" >&2
  exit 1
fi

python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
  --implementation cp --python-version 3.12 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
  --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64 \
  --dest "$wheels" --requirement "$here/cuda-wheels.txt"
for wheel in "$wheels"/*.whl; do
  python3 -m zipfile -e "$wheel" "$wheels/unpacked"
  rm "$wheel"
done

runtime=$(ls -d "$target"/node_modules/onnxruntime-node/bin/napi-v*/linux/x64)
mv "$wheels"/unpacked/onnxruntime/capi/libonnxruntime_providers_shared.so \
  "$wheels"/unpacked/onnxruntime/capi/libonnxruntime_providers_cuda.so "$runtime"
mkdir -p "$target/cuda"
mv "$wheels"/unpacked/nvidia/*/lib/*.so.* "$target/cuda"
rm -f "$target"/cuda/libnvblas.so.*
# The provider asks for it by this name.
ln -sf libcudnn.so.9 "$target/cuda/libcudnn.so"

# The driver's own library comes from the node. All others must be here.
missing=$(LD_LIBRARY_PATH="$target/cuda" ldd "$runtime/libonnxruntime_providers_cuda.so" \
  "$target"/cuda/*.so.* | grep 'not found' | grep -v 'libcuda\.so\.1 ' || true)
if [ -n "$missing" ]; then
  echo "libraries are missing: $missing" >&2
  exit 1
fi
