/** What it takes to run a model on this page: a runtime, and the model from the kernel. */
import { assetKey, getAsset } from "../assets";
import type { KernelClient } from "../kernel";
import type { Feed, ToWorker, WithoutId } from "../protocol";
import { type Runner, startRunner } from "./runner";
import { type ModelReply, pullFeed, pullWeights } from "./transfer";

/** The kernel runs Python's model on the samples before it gives them: give it minutes. */
const PYTHON_TIMEOUT_MS = 180_000;

export type SetModel = WithoutId<Extract<ToWorker, { kind: "setModel" }>>;
export type PulledModel = { reply: ModelReply; command: SetModel };

/** A new worker, or the page's main thread where there is none. */
export async function startRuntime(client: KernelClient, signal: AbortSignal): Promise<Runner> {
  const runtime = await getAsset(client, "runtime.js", "text/javascript", signal);
  return startRunner({
    runtime,
    runtimeKey: assetKey(client, "runtime.js"),
    getFile: async (name) => (await getAsset(client, name, "application/wasm", signal)).arrayBuffer(),
  });
}

/** A model with its weights and feeds. `onProgress` gets bytes. */
export async function pullModel(
  client: KernelClient,
  model: number,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<PulledModel> {
  const options = { signal, idleTimeoutMs: PYTHON_TIMEOUT_MS };
  const { message: reply, buffers } = await client.request({ kind: "get_model", model }, options);
  const json = buffers[0]?.slice().buffer;
  if (!json) throw new Error("The kernel sent no model.json. Run the cell again.");
  const total = reply.weight_nbytes;
  onProgress(0, total);
  const weights = await pullWeights(client, model, total, (done) => onProgress(done, total), signal);
  const feeds: Feed[] = [];
  for (let feed = 0; feed < reply.feeds; feed++) feeds.push(await pullFeed(client, model, feed, signal));
  const { format, inputs, outputs } = reply;
  return { reply, command: { kind: "setModel", format, json, weights, inputs, outputs, feeds } };
}

export function buffersOf(command: SetModel): ArrayBuffer[] {
  return [command.json, command.weights, ...command.feeds.flatMap((feed) => feed.buffers)];
}
