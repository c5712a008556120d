/** What a run needs and what it leaves behind, as TF.js counts its tensors. */
import * as tf from "@tensorflow/tfjs-core";
import type { Memory } from "../protocol";
import { nbytesOf, withKernels } from "./kernels";
import { timeSample } from "./measure";
import type { LoadedModel } from "./model";

/** One run of a loaded model, whose tensors take `modelNbytes`. */
export async function measureMemory(
  model: LoadedModel,
  feed: ReadonlyMap<string, tf.Tensor>,
  modelNbytes: number,
): Promise<Memory> {
  const { state } = tf.engine();
  const before = state.numTensors;
  let peak = state.numBytes;
  const watch = (_kernel: string, original: tf.KernelFunc): tf.KernelFunc => {
    return (params) => {
      const out = original(params);
      // What the kernel gives becomes a tensor behind it.
      peak = Math.max(peak, state.numBytes + nbytesOf(out));
      return out;
    };
  };
  await withKernels(watch, () => timeSample(model, feed, 1));
  return {
    model_nbytes: modelNbytes,
    peak_nbytes: peak,
    leaked_tensors: state.numTensors - before,
    wasm_nbytes: wasmHeapNbytes(),
  };
}

/** The backend's WebAssembly module is private in TF.js's types. */
function wasmHeapNbytes(): number | null {
  if (tf.getBackend() !== "wasm") return null;
  const module: { HEAPU8?: Uint8Array } | undefined = Reflect.get(tf.backend(), "wasm");
  return module?.HEAPU8?.byteLength ?? null;
}
