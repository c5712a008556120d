import type { ToWorker } from "../../src/protocol";
import { Runtime } from "../../src/worker/runtime";

/** What worker/main.ts leaves on a page; Node's backends are imported by the test instead. */
export function startRuntime(port: MessagePort): Runtime {
  return new Runtime({
    post: (message, transfer = []) => port.postMessage(message, transfer),
    listen: (listener) => {
      port.onmessage = (event: MessageEvent<ToWorker>) => listener(event.data);
    },
  });
}
