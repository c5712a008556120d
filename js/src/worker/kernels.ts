/** Something around every kernel of a backend, for as long as something runs. */
import * as tf from "@tensorflow/tfjs-core";

/** What a kernel gives. */
export type Outputs = ReturnType<tf.KernelFunc>;

/** Run `task` with every kernel replaced by what `wrap` makes of it. */
export async function withKernels<T>(
  wrap: (kernel: string, original: tf.KernelFunc) => tf.KernelFunc,
  task: () => Promise<T>,
): Promise<T> {
  const configs = tf.getKernelsForBackend(tf.getBackend());
  const originals = configs.map((config) => config.kernelFunc);
  for (const config of configs) config.kernelFunc = wrap(config.kernelName, config.kernelFunc);
  try {
    return await task();
  } finally {
    for (const [i, config] of configs.entries()) config.kernelFunc = originals[i] ?? config.kernelFunc;
  }
}

/** Bytes of a kernel's outputs; text counts as nothing. */
export function nbytesOf(out: Outputs): number {
  let sum = 0;
  for (const { shape, dtype } of Array.isArray(out) ? out : [out]) {
    if (dtype !== "string") sum += tf.util.sizeFromShape(shape) * tf.util.bytesPerElement(dtype);
  }
  return sum;
}
