/** What layers of a layers model give while the model runs, also layers of models inside it. */
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

type Layer = LayersModel["layers"][number];

/** Names a layer's output, or with this behind it what its activation gets. */
const BEFORE_ACTIVATION = ":before";

/** `run` runs the model once. Gives a tensor per name, which the caller disposes. */
export function insideLayers(model: LayersModel, names: readonly string[], run: () => void): tf.Tensor[] {
  const found = new Map<string, tf.Tensor>();
  const restored: (() => void)[] = [];
  const keep = (name: string, tensor: unknown) => {
    // A copy: the model disposes what the next layer has read.
    if (tensor instanceof tf.Tensor && !found.has(name)) found.set(name, tf.keep(tensor.clone()));
  };
  try {
    for (const layer of allLayers(model)) {
      if (names.includes(layer.name)) {
        restored.push(
          spyOn(layer, "call", (_, result) => keep(layer.name, Array.isArray(result) ? result[0] : result)),
        );
      }
      const before = `${layer.name}${BEFORE_ACTIVATION}`;
      const activation: unknown = Reflect.get(layer, "activation");
      if (names.includes(before) && typeof activation === "object" && activation !== null) {
        restored.push(spyOn(activation, "apply", ([tensor]) => keep(before, tensor)));
      }
    }
    run();
    return names.map((name) => {
      const tensor = found.get(name);
      if (!tensor) throw new Error(`The model has no layer '${name}' that it calls.`);
      return tensor;
    });
  } catch (error) {
    tf.dispose([...found.values()]);
    throw error;
  } finally {
    for (const restore of restored) restore();
  }
}

function* allLayers(model: LayersModel): Generator<Layer> {
  for (const layer of model.layers) {
    if (isModel(layer)) yield* allLayers(layer);
    else yield layer;
  }
}

function isModel(layer: Layer | LayersModel): layer is LayersModel {
  return Array.isArray(Reflect.get(layer, "layers"));
}

/** Tell each call of a method its arguments and its result; gives the function that ends it. */
function spyOn(target: object, method: string, told: (args: unknown[], result: unknown) => void): () => void {
  const own = Object.getOwnPropertyDescriptor(target, method);
  const call: unknown = Reflect.get(target, method);
  if (typeof call !== "function") throw new Error(`TensorFlow.js has no method '${method}' there.`);
  const watched = (...args: unknown[]): unknown => {
    const result: unknown = Reflect.apply(call, target, args);
    told(args, result);
    return result;
  };
  Object.defineProperty(target, method, { value: watched, configurable: true, writable: true });
  return () => {
    if (own) Object.defineProperty(target, method, own);
    else Reflect.deleteProperty(target, method);
  };
}
