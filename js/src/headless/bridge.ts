/** A widget's model where no front end is: who drives the page carries the messages as text, binary as base64. */
import type { Model } from "../model";
import { fromBase64, toBase64 } from "./base64";

type Callback = (message: unknown, buffers: unknown) => void;
type Sent = { content: unknown; buffers: ArrayBufferView[] };
/** What the driver brings: `buffers` says how many of those that were put before belong to a reply. */
type Brought = { traits: Record<string, unknown>; replies: { content: unknown; buffers: number }[] };

/** Bytes in one answer to the driver, or one message if that is larger. */
const MAX_BYTES = 8 * 2 ** 20;

export class Bridge implements Model {
  readonly lossless = true;
  #traits = new Map<string, unknown>();
  #listeners = new Map<string, Set<Callback>>();
  #outbox: Sent[] = [];
  #pieces: Uint8Array[] = [];
  #buffers: Uint8Array[] = [];
  #wake: () => void = () => undefined;

  get(name: string): unknown {
    return this.#traits.get(name);
  }

  on(event: string, callback: Callback): void {
    const callbacks = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, callbacks.add(callback));
  }

  off(event: string, callback: Callback): void {
    this.#listeners.get(event)?.delete(callback);
  }

  send(content: unknown, _callbacks?: undefined, buffers: ArrayBufferView[] = []): void {
    this.#outbox.push({ content, buffers });
    this.#wake();
  }

  /** Takes a piece of a buffer of the next replies; `last` ends the buffer. */
  put(base64: string, last: boolean): void {
    this.#pieces.push(fromBase64(base64));
    if (!last) return;
    this.#buffers.push(joined(this.#pieces));
    this.#pieces = [];
  }

  /** Takes a whole buffer of the next replies. */
  take(bytes: Uint8Array): void {
    this.#buffers.push(bytes);
  }

  /** Takes traits and replies (a `Brought`), and gives what was sent; if nothing was, it waits so long for it. */
  async exchange(brought: string, waitMs: number): Promise<string> {
    const { traits, replies }: Brought = JSON.parse(brought);
    for (const [name, value] of Object.entries(traits)) this.#traits.set(name, value);
    for (const { content, buffers } of replies) this.#fire("msg:custom", content, this.#buffers.splice(0, buffers));
    for (const name of Object.keys(traits)) this.#fire(`change:${name}`, undefined, undefined);
    if (this.#outbox.length === 0) await this.#somethingSent(waitMs);
    return JSON.stringify(this.#take());
  }

  #fire(event: string, message: unknown, buffers: unknown): void {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(message, buffers);
  }

  #somethingSent(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(): { content: unknown; buffers: string[] }[] {
    const taken: Sent[] = [];
    for (let nbytes = 0; this.#outbox.length > 0 && nbytes < MAX_BYTES; ) {
      taken.push(...this.#outbox.splice(0, 1));
      nbytes += taken.at(-1)?.buffers.reduce((sum, { byteLength }) => sum + byteLength, 0) ?? 0;
    }
    return taken.map(({ content, buffers }) => ({ content, buffers: buffers.map(toBase64) }));
  }
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first && pieces.length === 1) return first;
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}
