/** A page's own kernel: the page's code gets from it what a Python kernel gives. */
import { describe, expect, it } from "vitest";
import { crc32 } from "../src/crc32";
import { type Answer, KernelClient, type Request } from "../src/kernel";
import { reportOf } from "../src/page/reporter";
import { begun, ended, newJobState } from "../src/page/runState";
import type { Job, Snapshot } from "../src/protocol";
import { noiseLines } from "../src/solo/noise";
import type { PageData } from "../src/solo/pageData";
import { SoloKernel } from "../src/solo/soloKernel";
import noise from "./noise.json";

const WASM: Job = { model: 0, backend: "wasm", feed: 0 };
const WEIGHTS = Uint8Array.from({ length: 10 }, (_, i) => i);
const FEED = new Float32Array([1, 2]);
const EXPECTED = new Float32Array([3, 5]);

function shard(path: string, from: number, to: number): PageData["shards"][number] {
  return { path, encoding: "identity", nbytes: to - from, crc32: crc32(WEIGHTS.subarray(from, to)) };
}

const FILES: Record<string, Uint8Array<ArrayBuffer>> = {
  a: WEIGHTS.slice(0, 4),
  b: WEIGHTS.slice(4),
  "model.json": new TextEncoder().encode("{}"),
  samples: new Uint8Array([...new Uint8Array(FEED.buffer), ...new Uint8Array(EXPECTED.buffer)]),
};

const DATA: PageData = {
  version: 1,
  label: "tiny",
  format: "layers-model",
  weight_nbytes: 10,
  inputs: ["x"],
  outputs: ["y"],
  inside: "",
  compared: [{ feed: 0, feeds: [0] }],
  series: [{ label: "", examples: 1 }],
  feeds: [[{ name: "x", dtype: "float32", shape: [1, 2], values: null, offset: 0, nbytes: 8 }]],
  reference: {
    expected: [
      [{ name: "y", dtype: "float32", kind: "f", shape: [1, 2], values: null, bits: 32, offset: 8, nbytes: 8 }],
    ],
    by_xla: null,
    tensors: [["y", "y"]],
    note: "",
    one_dnn: false,
  },
  not_compared: null,
  quantized: false,
  tolerance: null,
  layers: { add: "dense", __proto__x: "no" },
  backends: ["wasm"],
  runs: 5,
  min_time_ms: 0,
  warmup: "auto",
  seed: 3,
  profile: false,
  assets: {},
  model: { path: "model.json", encoding: "identity" },
  samples: { path: "samples", encoding: "identity" },
  shards: [shard("a", 0, 4), shard("b", 4, 10)],
  picture: null,
};

function open(changes: Partial<PageData> = {}) {
  const kernel = new SoloKernel({ ...DATA, ...changes }, async ({ path }) => {
    const bytes = FILES[path];
    if (!bytes) throw new Error(`no ${path}`);
    return bytes;
  });
  const client = new KernelClient(kernel);
  const ask = <R extends Request>(request: R, buffers: ArrayBufferView[] = []): Promise<Answer<R>> =>
    client.request(request, { buffers });
  const state = () => kernel.get("snapshot") as Snapshot;
  return { kernel, ask, state };
}

async function verdictOn(values: number[], changes: Partial<PageData> = {}) {
  const { ask, state } = open(changes);
  await ask({ kind: "claim", page: "p", again: false, choice: null, task: null });
  const tensor = { name: "y", dtype: "float32", shape: [1, 2], values: null };
  const bytes = new Float32Array(values);
  await ask({ kind: "put_output", page: "p", job: WASM, feed: 0, tensor, offset: 0, total: 8 }, [bytes]);
  const { message } = await ask({ kind: "verify", page: "p", job: WASM, actual: "wasm" });
  expect(state().jobs[0]?.parity).toEqual(message.parity);
  return message.parity;
}

describe("it gives", () => {
  it("weights across shards", async () => {
    const { buffers } = await open().ask({ kind: "get_weights", model: 0, offset: 2, length: 6 });
    expect(buffers[0]).toEqual(WEIGHTS.slice(2, 8));
  });

  it("no weights of a damaged shard", async () => {
    const { ask } = open({ shards: [shard("a", 0, 4), { ...shard("b", 4, 10), crc32: 1 }] });
    await expect(ask({ kind: "get_weights", model: 0, offset: 2, length: 6 })).rejects.toThrow("'b' holds other bytes");
  });

  it("the samples", async () => {
    const { message, buffers } = await open().ask({ kind: "get_feed", model: 0, feed: 0 });
    expect(message.tensors).toEqual([{ name: "x", dtype: "float32", shape: [1, 2], values: null }]);
    expect(new Float32Array(buffers[0]?.slice().buffer ?? new ArrayBuffer())).toEqual(FEED);
  });

  it("jobs of what the reader chose", async () => {
    const { ask } = open();
    const choice = { backends: ["cpu", "wasm"] as const, runs: 7 };
    const claim = { kind: "claim", page: "p", again: true, task: null } as const;
    const { message } = await ask({ ...claim, choice: { ...choice, backends: [...choice.backends] } });
    expect(message.jobs.map(({ backend }) => backend)).toEqual(["cpu", "wasm"]);
    expect([message.granted, message.runs, message.seed]).toEqual([true, 7, 3]);
  });

  it("a verdict, right and wrong", async () => {
    expect((await verdictOn([3, 5])).status).toBe("passed");
    const wrong = await verdictOn([3, 6]);
    expect([wrong.status, wrong.outputs[0]?.max_rel_error]).toEqual(["failed", 0.2]);
  });

  it("why there is none", async () => {
    const not_compared = { status: "no_reference", note: "There is no Python model to compare with." };
    expect(await verdictOn([3, 5], { reference: null, not_compared })).toEqual({ ...not_compared, outputs: [] });
  });

  it("no search for the layer", async () => {
    await expect(open().ask({ kind: "get_layers", page: "p", job: WASM })).rejects.toThrow("in a notebook");
  });
});

async function finish(changes: Partial<PageData> = {}) {
  const opened = open(changes);
  await opened.ask({ kind: "claim", page: "p", again: false, choice: null, task: null });
  const before = begun(opened.state(), "p", [WASM]);
  const ran = { ...newJobState(WASM), status: "done" as const, actual: "wasm" as const, run_ms: [1, 2, 3] };
  const now = ended({ ...before, jobs: [ran] }, "finished");
  const told = new Promise<void>((resolve) => opened.kernel.on("change:snapshot", () => resolve()));
  await opened.ask(reportOf(before, now));
  await told;
  return opened;
}

describe("it keeps", () => {
  it("what the page reports, and gives it as the result", async () => {
    const { ask, state } = await finish();
    expect(state()).toMatchObject({ status: "finished", jobs: [{ run_ms: [1, 2, 3], actual: "wasm" }] });
    const { buffers } = await ask({ kind: "get_result" });
    const saved: unknown = JSON.parse(new TextDecoder().decode(buffers[0]));
    expect(saved).toEqual({ format: "tfjs_magic.Snapshot", version: 1, snapshot: { ...state(), task: null } });
  });

  it("profiles as wanted, and names the layers that the conversion knows", async () => {
    const { ask, state } = await finish({ profile: true });
    expect(state().task).toMatchObject({ kind: "profile", job: WASM, status: "wanted" });
    const row = { kernel: "Add", order: 0, calls: 1, ms: 1, error_ms: 0, nbytes: 4 };
    const rows = ["add", "constructor"].map((node) => ({ ...row, node, layer: "" }));
    const rest = { more_rows: 0, more_ms: 0, runs: 1, profiled_ms: 1, plain_ms: 1, note: "" };
    const task = { kind: "profile", job: WASM } as const;
    const report = { kind: "report_task", page: "p", task, status: "done", done: 1, total: 1, error: null } as const;
    await ask({ ...report, profile: { rows, ...rest } });
    expect(state().jobs[0]?.profile?.rows.map(({ layer }) => layer)).toEqual(["dense", ""]);
    expect(state().task?.status).toBe("done");
  });
});

describe("noise is named as Python names it", () => {
  it.each(noise as unknown as { name: string; snapshot: Snapshot; lines: string[] }[])(
    "$name",
    ({ snapshot, lines }) => {
      expect(noiseLines(snapshot)).toEqual(lines);
    },
  );
});
