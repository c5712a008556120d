/** Where a model differs from Python's: the outputs of its layers go to the kernel, group by group. */
import type { KernelClient } from "../kernel";
import type { Divergence } from "../protocol";
import type { Runner } from "./runner";
import type { TaskState } from "./taskState";
import { putOutputs } from "./transfer";

/** Python runs the model, once for the plan and once for each group: give it minutes. */
const PYTHON_TIMEOUT_MS = 180_000;

export async function searchLayers(
  client: KernelClient,
  runner: Runner,
  state: TaskState,
  signal: AbortSignal,
): Promise<Divergence | null> {
  const { page } = state.snapshot.task;
  const { job } = state.job;
  const options = { signal, idleTimeoutMs: PYTHON_TIMEOUT_MS };
  const { feed, groups } = (await client.request({ kind: "get_layers", page, job }, options)).message;
  let found: Divergence | null = null;
  for (const [group, tensors] of groups.entries()) {
    state.setProgress(group, groups.length);
    const { outputs } = await runner.request({ kind: "lookInside", feed, tensors });
    await putOutputs(client, page, job, feed, outputs, signal);
    const { message } = await client.request({ kind: "compare_layers", page, job, group }, options);
    found = message.divergence;
    state.note({ divergence: found });
  }
  return found;
}
