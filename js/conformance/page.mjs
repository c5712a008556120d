/** Runs models in a page, on webgl and webgpu: `run` takes a request and gives its reply; see run.mjs. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import * as converter from "@tensorflow/tfjs-converter";
import * as layers from "@tensorflow/tfjs-layers";
import { createRunner } from "./run.mjs";

// Whoever drives the page answers these requests; nothing listens.
const at = (path) => `/files?path=${encodeURIComponent(path)}`;
const read = async (path) => new Uint8Array(await (await fetch(at(path))).arrayBuffer());
const write = (path, body) => fetch(at(path), { method: "POST", body });
const reply = createRunner({ tf, layers, converter, read, write });

/** What went wrong on the GPU without an exception: the shader compiler tells the device only. */
const faults = [];
/** How often the GPU was read synchronously, which a GPU in software may not do. */
let syncReads = 0;

/** Watches WebGPU's device: TF.js does not, so that a shader that fails to compile leaves zeros without a word. */
async function watchDevice() {
  const backend = tf.findBackend("webgpu") ?? ((await tf.setBackend("webgpu")) && tf.backend());
  if (backend?.device === undefined || backend.watched) return;
  backend.watched = true;
  backend.device.addEventListener("uncapturederror", ({ error }) => faults.push(error.message));
  const readSync = backend.readSync.bind(backend);
  backend.readSync = (dataId) => {
    if (backend.tensorMap.get(dataId).values == null) syncReads += 1;
    return readSync(dataId);
  };
}

globalThis.run = async (request) => {
  if (request.backend === "webgpu") await watchDevice();
  faults.length = 0;
  syncReads = 0;
  const answer = await reply(request);
  // The device tells asynchronously; by now its queue has done what came before.
  if (request.backend === "webgpu") await tf.backend().device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve));
  if (faults.length > 0 && answer.ok) {
    return { id: request.id, ok: false, error: { name: "GPUError", message: faults.join("; "), stack: "" }, syncReads };
  }
  return { ...answer, syncReads };
};
