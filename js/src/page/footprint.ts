/** What a job took to load and of the memory, in sentences. */
import { formatBytes, formatMs } from "../format";
import type { JobState, Memory } from "../protocol";

export function footprint({ transfer_ms, memory }: JobState): string[] {
  const transfer = transfer_ms === null ? [] : [`Model and samples arrived in ${formatMs(transfer_ms)}.`];
  return [...transfer, ...(memory ? [memoryText(memory)] : [])];
}

function memoryText({ model_nbytes, peak_nbytes, leaked_tensors, wasm_nbytes }: Memory): string {
  const tensors = `Tensors take ${formatBytes(model_nbytes)} after loading and ${formatBytes(peak_nbytes)} at most in a run`;
  const heap = wasm_nbytes === null ? "" : `; the WebAssembly heap has ${formatBytes(wasm_nbytes)}`;
  return `${tensors}${heap}. ${leakText(leaked_tensors)}`;
}

function leakText(leaked: number): string {
  if (leaked <= 0) return "A run leaves no tensor behind.";
  return `Each run leaves ${leaked} ${leaked === 1 ? "tensor" : "tensors"} behind: memory grows with every call.`;
}
