import { describe, expect, it } from "vitest";
import { crc32 } from "../src/crc32";
import { KernelClient } from "../src/kernel";
import { pullWeights, putOutputs } from "../src/page/transfer";
import { type FromKernel, MAX_PIECE_BYTES } from "../src/protocol";
import { MockKernel } from "./mockKernel";
import { seeded, type TestModel, twoByTwoGraph } from "./models";

const JOB = { model: 0, backend: "cpu", feed: 0 } as const;
const never = new AbortController().signal;

/** A model whose weights are 2.5 pieces long. */
function largeModel(): TestModel {
  return { ...twoByTwoGraph(), weights: new Uint8Array(seeded(2.5 * (MAX_PIECE_BYTES / 4)).buffer) };
}

it("crc32 is zlib's", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

describe("pullWeights", () => {
  it("puts pieces together and tells progress in bytes", async () => {
    const model = largeModel();
    const kernel = new MockKernel({ models: [model], jobs: [JOB] });
    const progress: number[] = [];
    const client = new KernelClient(kernel);
    const bytes = await pullWeights(client, 0, model.weights.length, (done) => progress.push(done), never);
    expect(crc32(new Uint8Array(bytes))).toBe(crc32(model.weights));
    expect(kernel.received).toHaveLength(3);
    expect(progress.at(-1)).toBe(model.weights.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it("has at most four requests in flight", async () => {
    const model = { ...twoByTwoGraph(), weights: new Uint8Array(6 * MAX_PIECE_BYTES) };
    const kernel = new MockKernel({ models: [model], jobs: [JOB] });
    let inFlight = 0;
    let most = 0;
    kernel.beforeAnswer = async () => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inFlight -= 1;
    };
    await pullWeights(new KernelClient(kernel), 0, model.weights.length, () => undefined, never);
    expect(most).toBe(4);
  });

  it("asks again for a damaged piece, and gives up after three", async () => {
    const model = twoByTwoGraph();
    const kernel = new MockKernel({ models: [model], jobs: [JOB] });
    const emit = kernel.emit.bind(kernel);
    let damaged = 2;
    kernel.emit = (event, message, buffers) => {
      const weights = message as Extract<FromKernel, { kind: "weights" }>;
      emit(event, damaged-- > 0 ? { ...weights, crc32: weights.crc32 ^ 1 } : message, buffers);
    };
    const pull = () => pullWeights(new KernelClient(kernel), 0, model.weights.length, () => undefined, never);
    expect(new Uint8Array(await pull())).toEqual(model.weights);
    expect(kernel.received).toHaveLength(3);
    damaged = 3;
    await expect(pull()).rejects.toThrow("at byte 0 arrived damaged 3 times");
  });
});

it("putOutputs sends pieces, strings without bytes, and empty tensors", async () => {
  const kernel = new MockKernel({ models: [twoByTwoGraph()], jobs: [JOB] });
  const large = seeded(1.5 * (MAX_PIECE_BYTES / 4)).buffer;
  const tensor = { dtype: "float32", shape: [large.byteLength / 4], values: null };
  const outputs = {
    tensors: [
      { ...tensor, name: "large" },
      { name: "words", dtype: "string", shape: [1], values: ["a"] },
      { ...tensor, name: "empty", shape: [0] },
    ],
    buffers: [large, new ArrayBuffer(0)],
  };
  await putOutputs(new KernelClient(kernel), "page", JOB, 0, outputs, never);
  const sent = kernel.received.flatMap((message) => (message.kind === "put_output" ? [message] : []));
  const parts = sent.map(({ tensor: { name }, offset, total }) => [name, offset, total]);
  expect(parts).toEqual([
    ["large", 0, large.byteLength],
    ["large", MAX_PIECE_BYTES, large.byteLength],
    ["words", 0, 0],
    ["empty", 0, 0],
  ]);
});
