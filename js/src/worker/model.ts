/** A model from memory, and the one call that runs it. */
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import { isControlFlow, isDynamicShape, isHashTable } from "@tensorflow/tfjs-converter/dist/executor/model_analysis";
import type { Node } from "@tensorflow/tfjs-converter/dist/operations/types";
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import type { ModelFormat } from "../protocol";
import { type Enter, type Unwatch, watchLayers, watchNodes } from "./attribution";
import { insideLayers } from "./insideLayers";

export type ModelFiles = {
  format: ModelFormat;
  json: ArrayBuffer;
  weights: ArrayBuffer;
  /** The user's names, in the user's order. */
  inputs: string[];
  outputs: string[];
};

export type LoadedModel = {
  /** One run. Outputs stand in the order of `ModelFiles.outputs`; hand them to `release`. */
  predict: (feed: ReadonlyMap<string, tf.Tensor>) => Promise<tf.Tensor[]> | tf.Tensor[];
  /** Tensors inside, see LayerTensor in artifacts.py; each once. The caller disposes them. */
  inside: (feed: ReadonlyMap<string, tf.Tensor>, tensors: readonly string[]) => Promise<tf.Tensor[]>;
  /** Dispose outputs, but never what is also an input or a weight. */
  release: (outputs: readonly tf.Tensor[], feed: ReadonlyMap<string, tf.Tensor>) => void;
  dispose: () => void;
  /** Tell of each node or layer that computes, until the function that it gives is called. */
  watch: (enter: Enter) => Unwatch;
};

/** Load on the current backend. The files stay usable for another backend. */
export async function loadModel(files: ModelFiles): Promise<LoadedModel> {
  const modelJson: tf.io.ModelJSON = JSON.parse(new TextDecoder().decode(files.json));
  const artifacts = await tf.io.getModelArtifactsForJSON(modelJson, async (manifest) => [
    tf.io.getWeightSpecs(manifest),
    files.weights,
  ]);
  const handler: tf.io.IOHandler = { load: async () => artifacts };
  if (files.format === "layers-model") return wrapLayers(await loadLayersModel(handler), files);
  return wrapGraph(await loadGraphModel(handler), files, runsAsynchronously(modelJson.modelTopology));
}

/** Whether `execute` would refuse the graph, by the rule that it goes by. */
function runsAsynchronously(topology: tf.io.ModelJSON["modelTopology"]): boolean {
  const nodes: Node[] = "node" in topology && Array.isArray(topology.node) ? topology.node : [];
  return nodes.some((node) => isControlFlow(node) || isDynamicShape(node) || isHashTable(node));
}

function wrapLayers(model: LayersModel, files: ModelFiles): LoadedModel {
  const weights = new Set(model.weights.map((weight) => weight.read().id));
  return {
    predict: (feed) => {
      const result = model.predict(files.inputs.map((name) => input(name, feed)));
      return Array.isArray(result) ? result : [result];
    },
    inside: async (feed, tensors) => {
      const inputs = files.inputs.map((name) => input(name, feed));
      return insideLayers(model, tensors, () => tf.dispose(model.predictOnBatch(inputs)));
    },
    release: releaser(weights),
    dispose: () => model.dispose(),
    watch: (enter) => watchLayers(model, enter),
  };
}

function wrapGraph(model: GraphModel, files: ModelFiles, asynchronous: boolean): LoadedModel {
  const weights = new Set(Object.values(model.weights).flatMap((tensors) => tensors.map((tensor) => tensor.id)));
  const asList = (result: tf.Tensor | tf.Tensor[]) => (Array.isArray(result) ? result : [result]);
  const execute = (feed: ReadonlyMap<string, tf.Tensor>, fetched: string[]) => {
    // TF.js resolves the keys of the model's signature, and adds captured resources to this object.
    const named = Object.fromEntries(files.inputs.map((name) => [name, input(name, feed)]));
    if (asynchronous) return model.executeAsync(named, fetched).then(asList);
    return asList(model.execute(named, fetched));
  };
  return {
    predict: (feed) => execute(feed, files.outputs),
    // With its port no ref is a key of the signature.
    inside: async (feed, tensors) =>
      execute(
        feed,
        tensors.map((ref) => (ref.includes(":") ? ref : `${ref}:0`)),
      ),
    release: releaser(weights),
    dispose: () => model.dispose(),
    watch: (enter) => watchNodes(model, enter),
  };
}

function input(name: string, feed: ReadonlyMap<string, tf.Tensor>): tf.Tensor {
  const tensor = feed.get(name);
  if (!tensor) throw new Error(`The samples hold no input '${name}'.`);
  return tensor;
}

function releaser(weights: ReadonlySet<number>): LoadedModel["release"] {
  return (outputs, feed) => {
    const inputs = new Set([...feed.values()].map((tensor) => tensor.id));
    for (const output of outputs) if (!inputs.has(output.id) && !weights.has(output.id)) output.dispose();
  };
}
