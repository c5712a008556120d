/** Page and kernel agree: the page understands what the kernel said, and tells it what leads both to the same state. */
import { describe, expect, it } from "vitest";
import { parseFromKernel, parseSnapshot } from "../src/guards";
import { reportOf } from "../src/page/reporter";
import { begun, RunState } from "../src/page/runState";
import type { FromKernel, Job, Snapshot, ToKernel } from "../src/protocol";
import conversation from "./conversation.json";

type Step = { ask: ToKernel; answer: FromKernel; state?: Snapshot };
const steps = conversation as Step[];

function answerTo<K extends FromKernel["kind"]>(kind: K): Extract<FromKernel, { kind: K }> {
  const found = steps.map(({ answer }) => answer).find((answer) => answer.kind === kind);
  return found as Extract<FromKernel, { kind: K }>;
}

describe("the page understands", () => {
  it.each(steps.map(({ answer }) => answer))("the answer $kind ($id)", (answer) => {
    expect(parseFromKernel(answer)).toEqual(answer);
  });

  it("every state", () => {
    const states = steps.flatMap(({ state }) => state ?? []);
    expect(states.length).toBeGreaterThan(5);
    for (const state of states) expect(parseSnapshot(state)).toEqual(state);
  });
});

/** What happens on the page before each report of the conversation. */
const HAPPENS: ((state: RunState, wasm: Job, webgl: Job) => void)[] = [
  (state, wasm) => {
    const [environment] = steps.flatMap(({ ask }) => (ask.kind === "report" ? (ask.environment ?? []) : []));
    if (environment) state.setEnvironment(environment);
    state.setProgress(wasm, "weights", 60, 60);
  },
  (state, wasm) => {
    const memory = { model_nbytes: 60, peak_nbytes: 104, leaked_tensors: 0, wasm_nbytes: 2 ** 24 };
    const times = { backend_ms: 12.5, transfer_ms: 7.5, load_ms: 3.25 };
    state.setJob(wasm, { actual: "wasm", device: "SIMD, 1 thread", ...times, memory });
    state.setProgress(wasm, "verify", 0, 2);
    state.setFirstRun(wasm, 9.50001);
  },
  (state, wasm) => {
    state.setJob(wasm, { parity: answerTo("verified").parity });
    state.addLatencies(wasm, "warmup", [5], 1, 0);
    state.addLatencies(wasm, "warmup", [4.12504, 4], 1, 0);
    state.addLatencies(wasm, "run", [1.5], 1, 3);
    state.addLatencies(wasm, "run", [2.25], 1, 3);
  },
  (state, wasm, webgl) => {
    state.addLatencies(wasm, "run", [1.75], 1, 3);
    state.setJob(wasm, { status: "done", stage: null });
    state.setProgress(webgl, "backend", 0, 0);
  },
  (state, _wasm, webgl) => {
    state.setJob(webgl, {
      status: "failed",
      stage: null,
      error: { name: "Error", message: "no WebGL", stack: "at probe" },
    });
    state.end("finished");
  },
];

it("the page tells the kernel what leads both to the same state", () => {
  const granted = steps.find(({ ask }) => ask.kind === "claim");
  const { jobs } = answerTo("claim");
  const [wasm, webgl] = jobs;
  if (!granted?.state || !wasm || !webgl) throw new Error("the conversation begins with no claim of two jobs");
  const state = new RunState(begun({ ...granted.state, status: "pending", page: "" }, "p", jobs), () => undefined);
  expect(state.snapshot).toEqual(granted.state);
  const reports = steps.filter(({ ask }) => ask.kind === "report");
  expect(reports).toHaveLength(HAPPENS.length);
  for (const [index, { ask, state: kernel }] of reports.entries()) {
    const before = state.snapshot;
    HAPPENS[index]?.(state, wasm, webgl);
    expect({ ...reportOf(before, state.snapshot), id: ask.id }).toEqual(ask);
    // How noisy it was only the kernel says.
    expect(state.snapshot).toEqual({ ...kernel, warnings: [] });
  }
});
