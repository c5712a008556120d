/** A front end with nothing but anywidget's interface: no kernel to look at, and the policy and frames of its page. */
import widget from "/widget.js";

const toBase64 = (view) => {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
};
const fromBase64 = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

class Model {
  #traits;
  #listeners = new Map();

  constructor(traits) {
    this.#traits = traits;
  }
  get = (name) => this.#traits[name];
  set = (name, value) => {
    this.#traits[name] = value;
  };
  save_changes = () => undefined;
  on = (event, callback) => this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(callback));
  off = (event, callback) => this.#listeners.get(event)?.delete(callback);
  send = async (content, _callbacks, buffers = []) => {
    const { replies, snapshot } = await window.toKernel(this.get("output"), content, buffers.map(toBase64));
    for (const { content, buffers } of replies) this.#fire("msg:custom", content, buffers.map(fromBase64));
    this.set("snapshot", snapshot);
    this.#fire("change:snapshot");
  };
  #fire(event, ...values) {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(...values);
  }
}

const model = new Model(await window.traits(Number(document.body.dataset.output)));
const { initialize, render } = widget();
const { signal } = new AbortController();
initialize({ model, signal });
render({ model, el: document.body, signal });
