/** Tensors ↔ bytes. Layout of the bytes: see WireTensor. */
import * as tf from "@tensorflow/tfjs-core";
import type { Feed, WireTensor } from "../protocol";

/** Make one tensor; `buffer` is null for strings. */
function toTensor(wire: WireTensor, buffer: ArrayBuffer | null): tf.Tensor {
  if (wire.values !== null) return tf.tensor(wire.values, wire.shape, "string");
  if (!buffer) throw new Error(`The input '${wire.name}' came without its bytes.`);
  switch (wire.dtype) {
    case "float32":
      return tf.tensor(new Float32Array(buffer), wire.shape, "float32");
    case "int32":
      return tf.tensor(new Int32Array(buffer), wire.shape, "int32");
    case "bool":
      return tf.tensor(new Uint8Array(buffer), wire.shape, "bool");
    case "complex64": {
      const values = new Float32Array(buffer);
      const half = (odd: number) =>
        tf.tensor(
          values.filter((_, i) => i % 2 === odd),
          wire.shape,
        );
      return tf.tidy(() => tf.complex(half(0), half(1)));
    }
    default:
      throw new Error(`The input '${wire.name}' has dtype '${wire.dtype}', which TensorFlow.js does not have.`);
  }
}

/** Input name → tensor; the caller disposes them. */
export function feedTensors(feed: Feed): Map<string, tf.Tensor> {
  let next = 0;
  return new Map(
    feed.tensors.map((wire) => [
      wire.name,
      toTensor(wire, wire.values === null ? (feed.buffers[next++] ?? null) : null),
    ]),
  );
}

/** A copy, which can be transferred: the backend may keep `values` as its own. On cpu, a Cast from bool to float32 still
 *  holds bytes. */
function copyAs(dtype: tf.DataType, values: Float32Array | Int32Array | Uint8Array): ArrayBuffer {
  if (dtype === "int32") return Int32Array.from(values).buffer;
  if (dtype === "bool") return Uint8Array.from(values).buffer;
  return Float32Array.from(values).buffer;
}

/** Read outputs back under their names; does not dispose them. */
export async function readTensors(names: readonly string[], tensors: readonly tf.Tensor[]): Promise<Feed> {
  const feed: Feed = { tensors: [], buffers: [] };
  for (const [i, tensor] of tensors.entries()) {
    const name = names[i] ?? `output ${i}`;
    const values: Iterable<string> | Float32Array | Int32Array | Uint8Array = await tensor.data();
    const wire = { name, dtype: tensor.dtype, shape: [...tensor.shape] };
    if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) {
      feed.buffers.push(copyAs(tensor.dtype, values));
      feed.tensors.push({ ...wire, values: null });
    } else feed.tensors.push({ ...wire, values: [...values] });
  }
  return feed;
}
