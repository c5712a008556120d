/** Entry of runtime.js: a worker talks to its owner at once; on a page only a factory is left for page.js. */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import { leave } from "../pageScript";
import type { ToWorker } from "../protocol";
import { Runtime } from "./runtime";

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  new Runtime({
    post: (message, transfer = []) => self.postMessage(message, { transfer }),
    listen: (listener) => {
      self.onmessage = (event: MessageEvent<ToWorker>) => listener(event.data);
    },
  });
} else {
  const start = (port: MessagePort) =>
    new Runtime({
      post: (message, transfer = []) => port.postMessage(message, transfer),
      listen: (listener) => {
        port.onmessage = (event) => listener(event.data);
      },
    });
  leave("runtime", start);
}
