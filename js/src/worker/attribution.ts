/** Which node of the graph, or which layer, runs at the moment: TF.js itself does not tell its kernels. */
import type { GraphModel } from "@tensorflow/tfjs-converter";
import type { Node } from "@tensorflow/tfjs-converter/dist/operations/types";
import type { LayersModel } from "@tensorflow/tfjs-layers";

/** Called with the name of each node or layer that begins. */
export type Enter = (name: string) => void;
/** Ends the watching. */
export type Unwatch = () => void;

type Graph = { nodes: Record<string, Node>; functions?: Record<string, Graph> };
type Layer = { name: string; call: (...args: never[]) => unknown; layers?: unknown };

/**
 * Tell of each layer that computes, and again of the one around it. Nested models stand before their layers, with "/".
 * What a wrapper or an RNN computes inside is its own.
 */
export function watchLayers(model: LayersModel, enter: Enter): Unwatch {
  const restored: Unwatch[] = [];
  let current = "";
  const watch = (layers: readonly unknown[], prefix: string) => {
    for (const layer of layers.filter(isLayer)) {
      const name = prefix + layer.name;
      const { call } = layer;
      layer.call = (...args) => {
        const around = current;
        current = name;
        enter(name);
        try {
          return Reflect.apply(call, layer, args);
        } finally {
          current = around;
          enter(around);
        }
      };
      // The method of the class shows again.
      restored.push(() => Reflect.deleteProperty(layer, "call"));
      if (Array.isArray(layer.layers)) watch(layer.layers, `${name}/`);
    }
  };
  watch(model.layers, "");
  return () => {
    for (const restore of restored) restore();
  };
}

function isLayer(value: unknown): value is Layer {
  return typeof value === "object" && value !== null && "call" in value && "name" in value;
}

/**
 * Tell of each node that computes, also in functions. The executor reads a node's `category` once each time when it
 * runs it, and nowhere else (tfjs-converter `src/operations/operation_executor.ts`, 4.22).
 */
export function watchNodes(model: GraphModel, enter: Enter): Unwatch {
  const restored: Unwatch[] = [];
  const watch = ({ nodes, functions }: Graph) => {
    for (const node of Object.values(nodes)) {
      const { category } = node;
      Object.defineProperty(node, "category", {
        configurable: true,
        enumerable: true,
        get: () => {
          enter(node.name);
          return category;
        },
      });
      restored.push(() => Object.defineProperty(node, "category", { value: category, writable: true }));
    }
    for (const inner of Object.values(functions ?? {})) watch(inner);
  };
  watch(graphOf(model));
  return () => {
    for (const restore of restored) restore();
  };
}

/** The executor is private in TF.js's types. */
function graphOf(model: GraphModel): Graph {
  const executor: { graph: Graph } = Reflect.get(model, "executor");
  return executor.graph;
}

/** The layer that a node or layer belongs to: of a graph's node the scope behind the model's own. */
export function layerOf(name: string, format: "layers-model" | "graph-model"): string {
  if (format === "layers-model") return name;
  const scopes = name.split("/").slice(0, -1);
  return scopes[1] ?? scopes[0] ?? "";
}
