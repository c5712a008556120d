import type { FromWorker, ToWorker } from "../protocol";

/** The runtime's side of a worker or of a MessageChannel. */
export type Port = {
  post(message: FromWorker, transfer?: Transferable[]): void;
  listen(listener: (message: ToWorker) => void): void;
};
