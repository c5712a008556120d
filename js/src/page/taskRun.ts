/** One granted task: the model in a runtime of its own, asked for more than its latency. */
import { assertNever } from "../assertNever";
import type { KernelClient } from "../kernel";
import type { JobState } from "../protocol";
import { searchLayers } from "./layerSearch";
import { buffersOf, pullModel, startRuntime } from "./loading";
import type { Runner } from "./runner";
import type { TaskState } from "./taskState";

/** Runs it to its end. Rejects when aborted, when the kernel is gone or when it fails. */
export async function runTask(client: KernelClient, state: TaskState, signal: AbortSignal): Promise<void> {
  const runner = await startRuntime(client, signal);
  const stop = () => void runner.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    await load(client, runner, state.job, signal);
    state.succeed(await answer(client, runner, state, signal));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    await runner.terminate();
  }
}

/** As the benchmark loaded it: on the backend that ran. */
async function load(client: KernelClient, runner: Runner, { job, actual }: JobState, signal: AbortSignal) {
  const { command } = await pullModel(client, job.model, () => undefined, signal);
  await runner.request(command, buffersOf(command));
  await runner.request({ kind: "setBackend", backend: actual ?? job.backend });
  await runner.request({ kind: "load", feed: job.feed });
}

/** What goes into the state of the job. */
async function answer(
  client: KernelClient,
  runner: Runner,
  state: TaskState,
  signal: AbortSignal,
): Promise<Partial<JobState>> {
  const { kind } = state.snapshot.task;
  switch (kind) {
    case "profile": {
      let runs = 0;
      const { profile } = await runner.request({ kind: "profile" }, [], ({ latencyMs }) => {
        runs += latencyMs.length;
        state.setProgress(runs, 0);
      });
      return { profile };
    }
    case "divergence":
      return { divergence: await searchLayers(client, runner, state, signal) };
    default:
      return assertNever(kind);
  }
}
