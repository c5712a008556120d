/** Why an answer of the kernel is late; null if none is. */
export type Waiting = "busy" | "disconnected" | null;

export function waitingText(waiting: NonNullable<Waiting>): string {
  return waiting === "busy"
    ? "Waiting for the kernel (a cell is running) …"
    : "The connection to the kernel is lost. Waiting for it to come back …";
}
