#!/bin/sh
# Fetches the CUDA provider of onnxruntime-node and the libraries that it loads into a folder, each
# pinned by its checksum, and checks that the provider finds all of them.
# Usage: fetch-cuda.sh FOLDER
set -eu
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$1"
target=$(readlink -f "$1")
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT

# Of a network whose proxy signs for the package index with an authority of its own.
authorities=/run/secrets/ca-certificates
if [ -f "$authorities" ]; then export PIP_CERT="$authorities"; fi

python3 -m pip download --quiet --no-cache-dir --no-deps --only-binary=:all: --require-hashes \
  --implementation cp --python-version 3.12 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
  --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 --platform manylinux1_x86_64 \
  --dest "$wheels" --requirement "$here/cuda-wheels.txt"
for wheel in "$wheels"/*.whl; do
  python3 -m zipfile -e "$wheel" "$wheels/unpacked"
  rm "$wheel"
done

mv "$wheels"/unpacked/onnxruntime/capi/libonnxruntime_providers_shared.so \
  "$wheels"/unpacked/onnxruntime/capi/libonnxruntime_providers_cuda.so \
  "$wheels"/unpacked/nvidia/*/lib/*.so.* "$target"
rm -f "$target"/libnvblas.so.*
# The provider asks for it by this name.
ln -sf libcudnn.so.9 "$target/libcudnn.so"

# What their makers ask to go along.
mkdir "$target/licenses"
for text in "$wheels"/unpacked/onnxruntime/LICENSE \
  "$wheels"/unpacked/onnxruntime/ThirdPartyNotices.txt \
  "$wheels"/unpacked/nvidia_*.dist-info/licenses/License.txt; do
  package=${text#"$wheels"/unpacked/}
  cp "$text" "$target/licenses/${package%%[-/]*}-$(basename "$text")"
done

# The driver's own library comes from the node. All others must be here.
missing=$(LD_LIBRARY_PATH="$target" ldd "$target"/*.so "$target"/*.so.* |
  grep 'not found' | grep -v 'libcuda\.so\.1 ' || true)
if [ -n "$missing" ]; then
  echo "libraries are missing: $missing" >&2
  exit 1
fi
