"""What in a Keras model's config runs code or reads files, found without importing anything.

Keras's own safe mode covers files of Keras 3 only, and a file says itself which Keras is to read it. Both are held to
one closed list: classes and functions of Keras that compute, and what the caller has registered. All else needs trust.

Source: ``keras/src/saving/serialization_lib.py`` (3.15), ``tf_keras/src/saving`` and
``tf_keras/src/layers/core/tf_op_layer.py`` (2.21).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.sources.graph_ops import touches

#: What needs no trust: layers, initializers, losses and the like that compute from numbers alone.
_CLASSES = frozenset(
    """
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AddLoss AddMetric
    AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D
    AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BaseRandomLayer BatchNormalization BatchNormalizationBase
    BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose
    Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CutMix Dense
    DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout DropoutWrapper ELU EinsumDense Embedding Equalization
    Flatten GRU GRUCell GRUCellV1 GRUCellV2 GRUV1 GRUV2 GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D
    GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
    GroupQueryAttention HashedCrossing Hashing Identity Input InputLayer InputSpec IntegerLookup LSTM LSTMCell
    LSTMCellV1 LSTMCellV2 LSTMV1 LSTMV2 Layer LayerNormalization LeakyReLU LinearModel LocallyConnected1D
    LocallyConnected2D Masking MaxNumBoundingBoxes
    MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram
    Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment
    RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective
    RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth
    RandomZoom ReLU RepeatVector Rescaling Reshape ResidualWrapper Resizing ReversibleEmbedding STFTSpectrogram
    SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax
    Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup
    Subtract SyncBatchNormalization TextVectorization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D
    UpSampling2D UpSampling3D WideDeepModel Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D

    CustomScaleLayer LayerScale StochasticDepth

    Function Functional Model Sequential

    Constant GlorotNormal GlorotUniform HeNormal HeUniform IdentityInitializer LecunNormal LecunUniform Ones Orthogonal
    OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling Zeros
    L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm
    constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform ones orthogonal stft
    random_normal random_uniform truncated_normal variance_scaling zeros l1 l1_l2 l2 max_norm min_max_norm non_neg
    orthogonal_regularizer radial_constraint unit_norm

    AWQConfig AWQDTypePolicy AbsMaxQuantizer AutoCastVariable DTypePolicy DTypePolicyMap Float8QuantizationConfig
    FloatDTypePolicy GPTQConfig GPTQDTypePolicy Int4DTypePolicy Int4QuantizationConfig Int8QuantizationConfig
    KerasTensor Policy PolicyV1 QuantizationConfig QuantizedDTypePolicy QuantizedFloat8DTypePolicy SeedGenerator

    BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
    CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber KLDivergence LogCosh
    MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
    SparseCategoricalCrossentropy SquaredHinge Tversky
    AUC Accuracy BinaryAccuracy BinaryIoU CategoricalAccuracy ConcordanceCorrelation F1Score FBetaScore FalseNegatives
    FalsePositives IoU LogCoshError Mean MeanIoU MeanMetricWrapper MeanRelativeError MeanTensor OneHotIoU OneHotMeanIoU
    PearsonCorrelation Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
    SensitivityAtSpecificity SparseCategoricalAccuracy SparseTopKCategoricalAccuracy SpecificityAtSensitivity Sum
    TopKCategoricalAccuracy TrueNegatives TruePositives
    Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam RMSprop SGD
    ScheduleFreeAdamW CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
    PolynomialDecay

    __bool__ __bytes__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__ CompositeTensor
    TensorShape TypeSpec
    """.split()
)
_KERAS = re.compile(r"(tf_)?keras(\.\w+)*")
#: Where the operations of ``keras.ops`` are classes; each computes from its tensors alone.
_OPERATIONS = re.compile(r"keras\.(src\.)?ops(\.(core|einops|image|linalg|math|nn|numpy))?")
_FUNCTIONS = re.compile(r"(tf_)?keras\.((src\.)?activations(\.\w+)?|losses|metrics|ops(\.\w+)?)")
#: What is in these modules and looks up others.
_LOOKING_UP = frozenset({"deserialize", "experimental", "get", "serialize"})
#: Functions of Keras that a config names without a module.
_BUILTIN_FUNCTIONS = frozenset(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
    """.split()
)
#: What a file holds that ``to_keras`` wrote.
_OURS = frozenset({"tfjs_magic>hard_sigmoid"})
_SPECS = frozenset({"TensorSpec", "RaggedTensorSpec", "SparseTensorSpec", "KerasTensor"})

#: Functions of TensorFlow that Keras 2 wraps as layers and that compute from their tensors alone: whole modules of
#: them, without those that take a file or a function, and those at the top.
_PURE_MODULES = re.compile(
    r"(compat\.v1\.)?(__operators__|bitwise|dtypes|image|linalg|math|nn|quantization|ragged|signal|sparse|strings)"
    r"\.(?!(fixed_unigram_candidate_sampler|map_(flat_)?values|raw_rnn|with_space_to_batch)$)[a-z]\w*"
)
_PURE_BACKEND = re.compile(
    r"keras\.(activations|losses|metrics)\.(?!(deserialize|experimental|get|serialize)$)[a-z]\w*|keras\.backend\.(abs|all|any|argmax|argmin|batch_dot|batch_flatten|"
    r"batch_normalization|bias_add|binary_crossentropy|cast|categorical_crossentropy|clip|concatenate|constant|conv[123]d|"
    r"conv2d_transpose|cos|cumprod|cumsum|dot|elu|equal|exp|expand_dims|flatten|gather|greater|greater_equal|hard_sigmoid|"
    r"in_top_k|l2_normalize|less|less_equal|log|max|maximum|mean|min|minimum|not_equal|one_hot|ones_like|"
    r"permute_dimensions|pool[23]d|pow|prod|relu|repeat|repeat_elements|reshape|resize_images|reverse|round|shape|sigmoid|"
    r"sign|sin|softmax|softplus|softsign|spatial_2d_padding|sqrt|square|squeeze|stack|std|sum|switch|tanh|"
    r"temporal_padding|tile|transpose|var|zeros_like)"
)
_PURE_FUNCTIONS = frozenset(
    """
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space bitcast boolean_mask
    broadcast_static_shape broadcast_to cast ceil clip_by_norm clip_by_value complex concat constant cos cosh cumsum
    debugging.check_numerics div divide dynamic_partition dynamic_stitch edit_distance eig einsum ensure_shape equal erf
    exp expand_dims expm1 eye fill fingerprint floor floordiv floormod gather gather_nd greater greater_equal
    guarantee_const histogram_fixed_width identity identity_n is_nan less less_equal linspace log log1p log_sigmoid
    logical_and logical_not logical_or matmul matrix_square_root maximum meshgrid minimum mod multiply negative norm
    not_equal one_hot ones ones_like pad parallel_stack pow random.normal random.stateless_normal
    random.stateless_uniform random.uniform random.truncated_normal random.categorical range rank realdiv
    reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat
    required_space_to_batch_paddings reshape reverse reverse_sequence roll round rsqrt saturate_cast scatter_nd
    searchsorted sequence_mask shape shape_n sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd
    space_to_depth depth_to_space split sqrt square squared_difference squeeze stack stop_gradient strided_slice
    subtract switch_case tan tanh tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min
    tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile top_k transpose truediv truncatediv truncatemod
    unique unique_with_counts unstack where zeros zeros_like
    """.split()
)


def refuse_untrusted(what: str, config: Any, *, trust: bool, package: str = "keras", file: str = "file") -> None:
    """Refuse a config that needs trust and has none.

    Args:
        what: The file, for the message.
        config: A model's config, or a list of them, as JSON gives it.
        trust: Whether the caller trusts the file.
        package: Which Keras is to load it: "keras" or "tf_keras".
        file: What the caller is asked to trust.

    Raises:
        UnsupportedModelError: Names all that needs trust.
    """
    if not trust and (found := [*dict.fromkeys(needing_trust(config, package))]):
        shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        own = any(text.startswith("the class") for text in found)
        register = " Register classes of your own with @keras.saving.register_keras_serializable()." if own else ""
        raise UnsupportedModelError(
            f"'{what}' brings along what could run code or read other files: {shown}.{register} If you trust the "
            f"{file}, pass trust=True."
        )


def needing_trust(config: Any, package: str = "keras") -> Iterator[str]:
    """Yield a phrase for each thing in a config that could run code, import a module or read a file."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            found = _of_object(value, package)
            if found is not None:
                yield found
            if isinstance(path := value.get("vocabulary"), str):
                yield f"the vocabulary file '{_short(path)}'"
            if value.get("class_name") != "Lambda":  # named already
                stack += reversed([*value.values()])
        elif isinstance(value, (list, tuple)):
            stack += reversed(value)


def _of_object(row: Mapping[str, Any], package: str) -> str | None:  # noqa: PLR0911 - one per kind of object
    """Say what an object is that needs trust; None for one that needs none."""
    name, module, config = row.get("class_name"), row.get("module"), row.get("config")
    options: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
    of_layer = f" of layer '{_short(options['name'])}'" if "name" in options else ""
    if "class_name" not in row:
        return None
    match name:
        case "function":
            registered = row.get("registered_name")
            alike = registered == "function" or _is_alike(registered, config)
            known = alike and _is_known_function(config, module, package)
            return None if known else f"the function '{_short(config)}' of module '{_short(module)}'"
        case "__typespec__":
            spec = row.get("spec_name")
            known = spec in _SPECS and str(module).startswith(("tensorflow.", "keras."))
            known = known and row.get("registered_name") is None
            return None if known else f"the class '{_short(spec)}' of module '{_short(module)}'"
        case "TFOpLambda" | "SlicingOpLambda":
            function = options.get("function")
            return None if _is_pure(function) else f"the function '{_short(function)}'{of_layer}"
        case "TensorFlowOpLayer":
            node = options.get("node_def")
            op = node.get("op") if isinstance(node, Mapping) else None
            return f"the op '{_short(op)}'{of_layer}" if not isinstance(op, str) or touches(op) else None
        case "__lambda__":
            return "a Python lambda"
        case "Lambda":
            return f"the Lambda layer '{_short(options.get('name', 'lambda'))}'"
    at = "" if module is None else f" of module '{_short(module)}'"
    registered = row.get("registered_name")
    own = _is_registered(name if registered is None else registered, package)
    # Keras 3 takes what is registered, whatever its class is called; Keras 2 goes by both names.
    known = (own and package == "keras") or (_is_alike(registered, name) and (own or _is_known(name, module)))
    return None if known else f"the class '{_short(name)}'{at}"


def _is_known_function(name: Any, module: Any, package: str) -> bool:
    if not isinstance(name, str) or not isinstance(module, str):
        return False
    if _is_registered(name, package) or (module == "builtins" and name in _BUILTIN_FUNCTIONS):
        return True
    return bool(_FUNCTIONS.fullmatch(module)) and name.isidentifier() and name[0] != "_" and name not in _LOOKING_UP


def _is_alike(registered: Any, name: Any) -> bool:
    """Whether an object's registered name means the same; Keras 2 takes it where a module has nothing of the name."""
    if registered is None:
        return True
    if not isinstance(registered, str) or not isinstance(name, str):
        return False
    return registered.rpartition(">")[2] == name.rpartition(">")[2]


def _is_known(name: Any, module: Any) -> bool:
    if not isinstance(name, str):
        return False
    if module is None or (isinstance(module, str) and _KERAS.fullmatch(module)):
        operation = module is not None and _OPERATIONS.fullmatch(module) and re.fullmatch(r"[A-Z]\w*", name)
        return name in _CLASSES or bool(operation)
    return module == "builtins" and name.startswith("__") and name in _CLASSES


def _is_pure(name: Any) -> bool:
    return isinstance(name, str) and (
        name.removeprefix("compat.v1.") in _PURE_FUNCTIONS
        or any(pattern.fullmatch(name) for pattern in (_PURE_MODULES, _PURE_BACKEND))
    )


def _is_registered(name: Any, package: str) -> bool:
    """Whether the caller's own process has registered it, or we do: then it is no code of the file's."""
    module = sys.modules.get(package)
    if not isinstance(name, str) or (package == "keras" and name in _OURS):
        return isinstance(name, str)
    return module is not None and module.saving.get_registered_object(name) is not None


def _short(name: Any) -> str:
    text = str(name)
    return text if len(text) <= 80 else f"{text[:80]}…"
