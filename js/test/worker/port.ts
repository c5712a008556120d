/** Drive the real runtime without a worker: requests in, answers out. */
import type { FromWorker, ToWorker, WithoutId } from "../../src/protocol";
import type { Port } from "../../src/worker/port";

export type Command = WithoutId<ToWorker>;

export class TestPort implements Port {
  posted: FromWorker[] = [];
  #listener: (message: ToWorker) => void = () => undefined;
  #waiting = new Map<number, (message: FromWorker) => void>();
  #nextId = 1;

  post(message: FromWorker): void {
    this.posted.push(message);
    if (message.kind === "samples" || message.kind === "hello" || message.kind === "want") return;
    this.#waiting.get(message.id)?.(message);
  }

  listen(listener: (message: ToWorker) => void): void {
    this.#listener = listener;
  }

  request(command: Command): Promise<FromWorker> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#listener({ ...command, id });
    });
  }
}
