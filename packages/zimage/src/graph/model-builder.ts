/**
 * One ONNX model under construction: it names values, records nodes and points weights at their
 * bytes in the safetensors files, so a model is never copied and never exported beforehand.
 */
import { ModelError } from "../errors.ts";
import {
  AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from "../gen/onnx.ts";
import { invariant } from "../invariant.ts";
import type { Device } from "../networks/device.ts";
import type { TensorDtype, TensorIndex, TensorRef } from "../weights/tensor-index.ts";

/** The newest pair that every operator used here has a kernel for. */
const irVersion = 10;
const opsetVersion = 23;
/** The runtime's own operators: fused attention and matrix products with a transposed side. */
export const microsoftDomain = "com.microsoft";

/** A handle to a value that flows along the graph's edges. */
export interface Value {
  readonly name: string;
}

export type ElementType = "float" | "int64" | "bool";

/** A text is a symbolic size; one name has one size within a run. */
export type Dimension = number | string;

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly graph: GraphProto };

/** Attributes of a node by name. */
export type NodeAttributes = Readonly<Record<string, Attribute>>;

/** Attributes keep their type: the format has no implicit conversion. */
export interface NodeOptions {
  readonly attributes?: NodeAttributes;
  readonly domain?: typeof microsoftDomain;
}

/** How a network's weights become operands. */
export interface WeightOptions {
  /** Element type that the network computes in; `float32` unless said otherwise. */
  readonly compute?: ComputeType;
  /**
   * When large weights of another type than `compute` are converted: once at `load`, which costs
   * memory for the converted copy, or layer by layer in every `run`, where the copy soon goes away.
   */
  readonly conversion?: "load" | "run";
  /** What runs the network, since kernels differ; the processor unless said otherwise. */
  readonly target?: Device;
}

export type ComputeType = "float32" | "bfloat16";

export class ModelBuilder {
  /** Element type of rows between the graph's borders, which are float32 always. */
  readonly compute: ComputeType;
  readonly #conversion: "load" | "run";
  readonly #index: TensorIndex;
  /** Of the body that is being written: the model's own, or one within a node. */
  #nodes: NodeProto[] = [];
  #nodeCount = 0;
  readonly #initializers = new Map<string, TensorProto>();
  readonly #constants = new Map<string, Value>();
  readonly #weights = new Map<string, Value>();
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];

  constructor(index: TensorIndex, options: WeightOptions = {}) {
    this.#index = index;
    this.compute = options.compute ?? "float32";
    this.#conversion = options.conversion ?? "load";
  }

  /** Declares a value that every run is fed with. */
  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.push(describeValue(name, type, dims));
    return { name };
  }

  /** Publishes a float value under a name of its own. */
  output(name: string, value: Value, dims: readonly Dimension[]): void {
    this.#nodes.push(
      NodeProto.fromPartial({ name, opType: "Identity", input: [value.name], output: [name] }),
    );
    this.#outputs.push(describeValue(name, "float", dims));
  }

  /** A small tensor inside the model; equal ones are stored once. */
  constant(type: "float" | "int64", dims: readonly number[], values: readonly number[]): Value {
    const key = `${type}[${dims.join()}]=${values.join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = `constant_${this.#constants.size}`;
    const array = type === "float" ? Float32Array.from(values) : BigInt64Array.from(values, BigInt);
    const tensor = { name, dims: [...dims], dataType: elementTypes[type] };
    const rawData = Buffer.from(array.buffer);
    this.#initializers.set(name, TensorProto.fromPartial({ ...tensor, rawData }));
    this.#constants.set(key, { name });
    return { name };
  }

  /**
   * A checkpoint tensor in the type of computation, whatever it is stored as. `shape` is what the
   * network expects; `view` is another shape over the same elements, for free.
   * Throws MODEL_INVALID when the checkpoint has no such tensor or has it in another shape.
   */
  weight(name: string, shape: readonly number[], view: readonly number[] = shape): Value {
    const key = `${name}[${view.join()}]`;
    const known = this.#weights.get(key);
    if (known !== undefined) return known;
    const stored = this.storedWeight(name, shape, view);
    const value = this.convert(stored, name);
    this.#weights.set(key, value);
    return value;
  }

  /** A checkpoint tensor in the element type of its file; `convert` makes rows of it operands. */
  storedWeight(name: string, shape: readonly number[], view: readonly number[] = shape): Value {
    const tensor = findTensor(this.#index, name, shape);
    const key = `${name}[${view.join()}]`;
    this.#initializers.set(key, describeExternal(tensor, key, view));
    return { name: key };
  }

  /**
   * Converts values read from the named tensor to the type of computation. The runtime does it
   * once, at load time, for whole weights; bfloat16 arithmetic itself has no kernels on CPU.
   */
  convert(value: Value, tensorName: string): Value {
    const isReady = this.#index.tensors.get(tensorName)?.dtype === readyTypes[this.compute];
    return isReady ? value : this.#cast(value, computeTypes[this.compute]);
  }

  /** Whether this tensor is to be converted in every run. */
  convertsInRuns(tensorName: string): boolean {
    const stored = this.#index.tensors.get(tensorName)?.dtype;
    return this.#conversion === "run" && stored !== readyTypes[this.compute];
  }

  /** What the checkpoint says of a tensor, if it has one of this name. */
  stored(name: string): TensorRef | undefined {
    return this.#index.tensors.get(name);
  }

  /** Float32 rows, such as inputs, in the type of computation. */
  fromFloat(value: Value): Value {
    return this.compute === "float32" ? value : this.#cast(value, DataType.BFLOAT16);
  }

  /** Rows of the type of computation in float32, for the parts that lose too much in less. */
  toFloat(value: Value): Value {
    return this.compute === "float32" ? value : this.#cast(value, DataType.FLOAT);
  }

  #cast(value: Value, type: DataType): Value {
    return this.node("Cast", [value], { attributes: { to: { int: type } } });
  }

  /** Adds an operator with one result. An absent optional input is `undefined`. */
  node(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value {
    return this.#addNode(opType, inputs, { ...options, outputs: 1 })[0] as Value;
  }

  /** Cuts a value into equal parts along its last axis. */
  splitLast(value: Value, parts: number): Value[] {
    const attributes = { axis: { int: -1 }, num_outputs: { int: parts } };
    return this.#addNode("Split", [value], { attributes, outputs: parts });
  }

  /** Cuts a vector into parts of these sizes. */
  split(value: Value, sizes: readonly number[]): Value[] {
    const lengths = this.constant("int64", [sizes.length], sizes);
    return this.#addNode("Split", [value, lengths], { outputs: sizes.length });
  }

  #addNode(
    opType: string,
    inputs: readonly (Value | undefined)[],
    options: NodeOptions & { readonly outputs: number },
  ): Value[] {
    const name = `${opType}_${this.#nodeCount}`;
    this.#nodeCount += 1;
    const output = Array.from({ length: options.outputs }, (_, index) => `${name}:${index}`);
    const attribute = Object.entries(options.attributes ?? {}).map(describeAttribute);
    const input = inputs.map((value) => value?.name ?? "");
    const domain = options.domain ?? "";
    this.#nodes.push(NodeProto.fromPartial({ name, opType, domain, input, output, attribute }));
    return output.map((value) => ({ name: value }));
  }

  /**
   * One of two values, of which only the chosen one is computed. Bodies read what is around them,
   * but not the other way round: a weight that has to be converted is to be read outside.
   * @param condition a bool of one element.
   */
  choose(condition: Value, ifTrue: () => Value, ifFalse: () => Value): Value {
    const attributes = {
      then_branch: { graph: this.#body(ifTrue) },
      else_branch: { graph: this.#body(ifFalse) },
    };
    return this.node("If", [condition], { attributes });
  }

  /** Passes a value through a body `count` (int64) times; the body gets the number of the pass. */
  repeat(count: Value, initial: Value, body: (pass: Value, value: Value) => Value): Value {
    const id = this.#nodeCount;
    const [pass, goesOn, value] = [`pass_${id}`, `goes_on_${id}`, `value_${id}`];
    const graph = this.#body(() => body({ name: pass }, { name: value }));
    // The format wants to be told in each pass whether to go on, beside the count.
    const identity = { opType: "Identity", input: [goesOn], output: [`${goesOn}_too`] };
    graph.node.push(NodeProto.fromPartial(identity));
    graph.input = [describeValue(pass, "int64", []), describeValue(goesOn, "bool", [])];
    graph.input.push(ValueInfoProto.fromPartial({ name: value }));
    graph.output.unshift(ValueInfoProto.fromPartial({ name: `${goesOn}_too` }));
    return this.node("Loop", [count, undefined, initial], { attributes: { body: { graph } } });
  }

  #body(write: () => Value): GraphProto {
    const around = this.#nodes;
    this.#nodes = [];
    const { name } = write();
    const body = { name: `body_${this.#nodeCount}`, node: this.#nodes, output: [{ name }] };
    this.#nodes = around;
    return GraphProto.fromPartial(body);
  }

  /** The serialized model; external weights are relative to the index's folder. */
  toBytes(name: string): Uint8Array {
    return ModelProto.encode(
      ModelProto.fromPartial({
        irVersion,
        producerName: "zfarm",
        opsetImport: [
          { domain: "", version: opsetVersion },
          { domain: microsoftDomain, version: 1 },
        ],
        graph: {
          name,
          node: this.#nodes,
          initializer: [...this.#initializers.values()],
          input: this.#inputs,
          output: this.#outputs,
        },
      }),
    ).finish();
  }
}

const elementTypes = {
  float: DataType.FLOAT,
  int64: DataType.INT64,
  bool: DataType.BOOL,
} as const satisfies Record<ElementType, DataType>;

const computeTypes = {
  float32: DataType.FLOAT,
  bfloat16: DataType.BFLOAT16,
} as const satisfies Record<ComputeType, DataType>;

/** Weights stored like this are operands as they are. */
const readyTypes = {
  float32: "F32",
  bfloat16: "BF16",
} as const satisfies Record<ComputeType, TensorDtype>;

/** Element types of weights as they lie in files. */
const storedTypes = {
  F32: DataType.FLOAT,
  F16: DataType.FLOAT16,
  BF16: DataType.BFLOAT16,
  U8: DataType.UINT8,
} as const satisfies Record<TensorDtype, DataType>;

/** The network's idea of a tensor and the checkpoint's must agree before anything is loaded. */
function findTensor(index: TensorIndex, name: string, shape: readonly number[]): TensorRef {
  const tensor = index.tensors.get(name);
  if (tensor === undefined) {
    throw new ModelError("MODEL_INVALID", `tensor ${name} is missing`, { field: name });
  }
  const [stored, wanted] = [tensor.shape.join(), shape.join()];
  if (stored !== wanted) {
    const message = `tensor ${name} has shape [${stored}], the configuration asks for [${wanted}]`;
    throw new ModelError("MODEL_INVALID", message, { field: name, file: tensor.file });
  }
  return tensor;
}

/** The bytes stay in the file; only where they lie goes into the model. */
function describeExternal(tensor: TensorRef, name: string, dims: readonly number[]): TensorProto {
  invariant(
    count(dims) === count(tensor.shape),
    `view [${dims.join()}] of ${name} has all its elements`,
  );
  return TensorProto.fromPartial({
    name,
    dims: [...dims],
    dataType: storedTypes[tensor.dtype],
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: tensor.file },
      { key: "offset", value: String(tensor.offset) },
      { key: "length", value: String(tensor.length) },
    ],
  });
}

function count(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function describeValue(
  name: string,
  type: ElementType,
  dims: readonly Dimension[],
): ValueInfoProto {
  const dim = dims.map((size) => ({
    value:
      typeof size === "number"
        ? { $case: "dimValue" as const, value: size }
        : { $case: "dimParam" as const, value: size },
  }));
  const tensor = { elemType: elementTypes[type], shape: { dim } };
  const value = { $case: "tensorType" as const, value: tensor };
  return ValueInfoProto.fromPartial({ name, type: TypeProto.fromPartial({ value }) });
}

function describeAttribute([name, attribute]: [string, Attribute]): AttributeProto {
  if ("int" in attribute) {
    return AttributeProto.fromPartial({ name, type: AttributeType.INT, i: attribute.int });
  }
  if ("float" in attribute) {
    return AttributeProto.fromPartial({ name, type: AttributeType.FLOAT, f: attribute.float });
  }
  if ("text" in attribute) {
    const s = Buffer.from(attribute.text);
    return AttributeProto.fromPartial({ name, type: AttributeType.STRING, s });
  }
  if ("graph" in attribute) {
    return AttributeProto.fromPartial({ name, type: AttributeType.GRAPH, g: attribute.graph });
  }
  if ("ints" in attribute) {
    const ints = [...attribute.ints];
    return AttributeProto.fromPartial({ name, type: AttributeType.INTS, ints });
  }
  const floats = [...attribute.floats];
  return AttributeProto.fromPartial({ name, type: AttributeType.FLOATS, floats });
}
