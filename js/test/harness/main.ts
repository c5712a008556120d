/** A page that shows the real widget.js on a mock kernel. Query: ?backends=cpu,wasm&models=2&runs=30&slow=1 */
import type { BackendName, Job, Parity } from "../../src/protocol";
import { MockKernel } from "../mockKernel";
import { convLayers, twoByTwoGraph } from "../models";

const query = new URLSearchParams(location.search);
const models = [convLayers(48, 16, 4), twoByTwoGraph()].slice(0, Number(query.get("models") ?? 1));
const backends = (query.get("backends") ?? "wasm").split(",").map((name) => (name === "auto" ? null : name));
const jobs = models.flatMap((_, model) =>
  backends.map((backend): Job => ({ model, backend: backend as BackendName | null, feed: 0 })),
);

/** The first job of a model is the reference of the others. */
const references = new Map<number, Map<string, Uint8Array>>();
function compare(job: Job, outputs: Map<string, Uint8Array>): Parity {
  const reference = references.get(job.model) ?? outputs;
  references.set(job.model, reference);
  const rows = [...outputs].map(([output, bytes]) => {
    const have = new Float32Array(bytes.buffer);
    const want = new Float32Array((reference.get(output) ?? bytes).buffer);
    const max_abs_error = Math.max(...have.map((value, i) => Math.abs(value - (want[i] ?? Number.NaN))));
    const max_rel_error = max_abs_error / Math.max(...want.map(Math.abs));
    const passed = max_rel_error < 1e-4;
    return { output, max_abs_error, max_rel_error, cosine: 1, top1_agreement: null, tolerance: 1e-4, passed };
  });
  return { status: rows.every((row) => row.passed) ? "passed" : "failed", note: "", outputs: rows };
}

async function assets() {
  const listed: Record<string, string> = await (await fetch("/static/assets.json")).json();
  const files = Object.entries(listed).map(async ([name, sha256]) => {
    const response = await fetch(`/static/${name}.gz`);
    return [name, { sha256, packed: new Uint8Array(await response.arrayBuffer()) }] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

const kernel = new MockKernel({ models, jobs, runs: Number(query.get("runs") ?? 30), assets: await assets(), compare });
const slow = Number(query.get("slow") ?? 0);
if (slow > 0) kernel.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, slow));
const widgetUrl = "/static/widget.js";
const { default: define } = await import(widgetUrl);
const widget = define();
widget.initialize({ model: kernel });
const view = document.querySelector("#view");
const unmount = widget.render({ model: kernel, el: view });
Object.assign(globalThis, { kernel, unmount, widget });
