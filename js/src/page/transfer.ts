/** Models from the kernel, outputs to it: in pieces, four in flight. */
import { crc32 } from "../crc32";
import type { KernelClient } from "../kernel";
import { type Feed, type FromKernel, type Job, MAX_PIECE_BYTES, type WireTensor } from "../protocol";

const IN_FLIGHT = 4;
const CHECKSUM_ATTEMPTS = 3;

export type ModelReply = Extract<FromKernel, { kind: "model" }>;

/** Run `task` for every item, at most `IN_FLIGHT` at a time; the first failure stops the rest. */
async function inFlight<T>(items: Iterable<T>, task: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failed = false;
  const work = async () => {
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

function* offsets(total: number): Generator<number> {
  for (let offset = 0; offset < total; offset += MAX_PIECE_BYTES) yield offset;
}

/** All weight bytes of a model in one new buffer. `onProgress` gets bytes. */
export async function pullWeights(
  client: KernelClient,
  model: number,
  nbytes: number,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<ArrayBuffer> {
  const all = new Uint8Array(nbytes);
  let done = 0;
  await inFlight(offsets(nbytes), async (offset) => {
    const length = Math.min(MAX_PIECE_BYTES, nbytes - offset);
    all.set(await pullPiece(client, model, offset, length, signal), offset);
    done += length;
    onProgress(done);
  });
  return all.buffer;
}

async function pullPiece(
  client: KernelClient,
  model: number,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  for (let attempt = 1; attempt <= CHECKSUM_ATTEMPTS; attempt++) {
    const { message, buffers } = await client.request({ kind: "get_weights", model, offset, length }, { signal });
    const bytes = buffers[0];
    if (bytes?.length === length && message.offset === offset && crc32(bytes) === message.crc32) return bytes;
  }
  throw new Error(
    `The weights at byte ${offset} arrived damaged ${CHECKSUM_ATTEMPTS} times. Check the connection and run again.`,
  );
}

/** One set of inputs, its bytes in buffers of their own (they are transferred). */
export async function pullFeed(client: KernelClient, model: number, feed: number, signal: AbortSignal): Promise<Feed> {
  const { message, buffers } = await client.request({ kind: "get_feed", model, feed }, { signal });
  return { tensors: message.tensors, buffers: buffers.map((bytes) => bytes.slice().buffer) };
}

type Piece = { tensor: WireTensor; offset: number; total: number; bytes: Uint8Array | null };

function* outputPieces(outputs: Feed): Generator<Piece> {
  let next = 0;
  for (const tensor of outputs.tensors) {
    const buffer = tensor.values === null ? outputs.buffers[next++] : undefined;
    if (!buffer || buffer.byteLength === 0) {
      yield { tensor, offset: 0, total: 0, bytes: tensor.values === null ? new Uint8Array(0) : null };
      continue;
    }
    for (const offset of offsets(buffer.byteLength)) {
      const length = Math.min(MAX_PIECE_BYTES, buffer.byteLength - offset);
      yield { tensor, offset, total: buffer.byteLength, bytes: new Uint8Array(buffer, offset, length) };
    }
  }
}

/** Send all outputs of one feed. */
export async function putOutputs(
  client: KernelClient,
  page: string,
  job: Job,
  feed: number,
  outputs: Feed,
  signal: AbortSignal,
): Promise<void> {
  await inFlight(outputPieces(outputs), async ({ tensor, offset, total, bytes }) => {
    const buffers = bytes ? [bytes] : [];
    await client.request({ kind: "put_output", page, job, feed, tensor, offset, total }, { buffers, signal });
  });
}
