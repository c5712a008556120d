/** A benchmark where nothing can be shown. */
import { parseSnapshot } from "../guards";
import type { KernelClient } from "../kernel";
import { pageShared } from "../pageShared";
import { toWireError } from "../wireError";
import { BenchmarkRun } from "./benchmarkRun";
import { Reporter, reportOf } from "./reporter";
import { begun, RunState } from "./runState";

/** Claims it and runs it to its end, which the kernel is told. */
export async function runWithoutView(client: KernelClient): Promise<void> {
  const { id } = pageShared();
  const request = { kind: "claim", page: id, again: false, choice: null, task: null } as const;
  const { message: claim } = await client.request(request);
  const snapshot = parseSnapshot(client.model.get("snapshot"));
  if (!claim.granted || !snapshot) throw new Error("The benchmark was not granted.");
  const abort = new AbortController();
  const state = new RunState(begun(snapshot, id, claim.jobs), () => undefined);
  const reporter = new Reporter(client, state, reportOf, (error) => abort.abort(error));
  try {
    await new BenchmarkRun(client, claim, state, abort.signal).run();
    state.end("finished");
  } catch (error) {
    state.end("failed", toWireError(error));
  }
  await reporter.finish();
}
