"""The HTTP API's models: strict, frozen, nothing extra. Defined once, passed on as they are.

The plugin has its own, smaller copy in `krita_plugin/modelsheet_krita/contract.py`; a test holds
the two together.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from modelsheet.api.validation_messages import complaint

API_VERSION = "1.0"


def _integral(value: Any) -> Any:
    """JSON Schema's integer admits 116.0, so ours must too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_line(text: str) -> str:
    """Refuse control characters and line breaks, which belong in no name or prompt."""
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must be one line without control characters")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


# BeforeValidator after Field: the other order makes pydantic put "ge" for "minimum" in the schema.
Pixels = Annotated[int, Field(ge=1, le=8192), BeforeValidator(_integral)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), BeforeValidator(_integral)]
Count = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(_integral)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ArtistName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
SubjectName = Annotated[
    str, Field(min_length=1, max_length=80), AfterValidator(_one_line), AfterValidator(_not_blank)
]
ClassNoun = Annotated[str, Field(max_length=60), AfterValidator(_one_line)]
Caption = Annotated[str, Field(max_length=300), AfterValidator(_one_line)]
Prompt = Annotated[
    str, Field(min_length=1, max_length=2000), AfterValidator(_one_line), AfterValidator(_not_blank)
]
NegativePrompt = Annotated[str, Field(max_length=2000), AfterValidator(_one_line)]
Identifier = Annotated[str, Field(max_length=32), AfterValidator(_one_line)]
ModelId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
AdapterScale = Annotated[float, Field(ge=0.0, le=2.0)]
GuidanceScale = Annotated[float, Field(ge=1.0, le=30.0)]
InferenceSteps = Annotated[int, Field(ge=1, le=200), BeforeValidator(_integral)]
HexColour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]

Preset = Literal["quick", "balanced", "thorough", "seed"]
PriorKind = Literal["class-images", "no-images", "none"]
OptimizerName = Literal["adamw", "prodigy"]
Family = Literal["sprite32", "sd15", "sdxl"]
Downloadable = Literal["sd15", "sdxl", "clip", "matting"]
CutOut = Literal["auto", "keying", "matting"]
# By the names artists know them by from other tools.
SamplerName = Literal["DPM++ 2M Karras", "UniPC", "Euler", "Euler a", "DDIM", "LCM"]
AxisName = Literal["unet_scale", "text_encoder_scale", "guidance_scale", "inference_steps", "seed"]
JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
QueueState = Literal["open", "held", "ending"]
MOST_RESULTS = 64
TERMINAL_STATES: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})


class Model(BaseModel):
    """Base of all models of the API."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImageRef(Model):
    """One picture: raw straight-alpha BGRA8 sRGB, sent beforehand: width * height * 4 bytes."""

    blob: Sha256
    width: Pixels
    height: Pixels
    name: Annotated[str, Field(max_length=300)] = ""


class TrainingOverrides(Model):
    """Numbers of the preset that the caller wants otherwise; None keeps the preset's.

    `batch` pictures go through the network at once and `accumulation` such batches make a step,
    which `processes` share, each with a graphics card of its own. `prodigy` finds its own rate, so
    that 1 is its learning rate. `pivotal` learns the identifier's embedding too; without `masked`
    what is beside the subject is learnt with it. `own_decoder` corrects a pixel-art base's
    autoencoder for the subject.
    """

    training_steps: Annotated[int, Field(ge=1, le=20_000), BeforeValidator(_integral)] | None = None
    batch: Annotated[int, Field(ge=1, le=32), BeforeValidator(_integral)] | None = None
    accumulation: Annotated[int, Field(ge=1, le=64), BeforeValidator(_integral)] | None = None
    processes: Annotated[int, Field(ge=1, le=16), BeforeValidator(_integral)] | None = None
    optimizer: OptimizerName | None = None
    unet_learning_rate: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    text_encoder_learning_rate: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    warm_up_steps: Annotated[int, Field(ge=0, le=2000), BeforeValidator(_integral)] | None = None
    rank: Annotated[int, Field(ge=1, le=128), BeforeValidator(_integral)] | None = None
    text_encoder_rank: Annotated[int, Field(ge=0, le=128), BeforeValidator(_integral)] | None = None
    feed_forward: bool | None = None
    convolutions: bool | None = None
    pivotal: bool | None = None
    prior: PriorKind | None = None
    prior_loss_weight: Annotated[float, Field(ge=0.0, le=1000.0)] | None = None
    caption_dropout: Annotated[float, Field(ge=0.0, le=0.5)] | None = None
    flip: bool | None = None
    masked: bool | None = None
    own_decoder: bool | None = None


class LearnRequest(Model):
    """Learn a subject from 1 to 64 pictures of it. An empty identifier is chosen by the backend."""

    kind: Literal["learn"] = "learn"
    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier = ""
    preset: Preset = "balanced"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]
    captions: Annotated[list[Caption], Field(max_length=64)] | None = None
    seed: Seed = 0
    overrides: TrainingOverrides = TrainingOverrides()


class MaskRef(Model):
    """A selection: one byte per pixel, 0 outside, 255 inside, between them on its soft edge; the
    blob has width * height bytes.
    """

    blob: Sha256
    width: Pixels
    height: Pixels


class Region(Model):
    """A place in the picture with its own prompt, which names the subject that stands there."""

    prompt: Prompt
    mask: MaskRef


class PixelArt(Model):
    """Pixel-perfect results: on the pixel grid, of few colours, each pixel opaque or transparent.

    `palette` is "picture" (the picture's own best `colours`), "subject" (those of the subject's
    layers) or a list of colours. `pixel_size` is the side in px of one painted pixel, 0 finds it.
    `enlarge` makes each pixel a square.
    """

    palette: (
        Literal["picture", "subject"]
        | Annotated[list[HexColour], Field(min_length=1, max_length=256)]
    ) = "picture"
    colours: Annotated[int, Field(ge=2, le=256), BeforeValidator(_integral)] = 16
    pixel_size: Annotated[int, Field(ge=0, le=64), BeforeValidator(_integral)] = 0
    enlarge: Annotated[int, Field(ge=1, le=32), BeforeValidator(_integral)] = 1


_ADMITTED: dict[AxisName, TypeAdapter[Any]] = {
    "unet_scale": TypeAdapter(AdapterScale),
    "text_encoder_scale": TypeAdapter(AdapterScale),
    "guidance_scale": TypeAdapter(GuidanceScale),
    "inference_steps": TypeAdapter(InferenceSteps),
    "seed": TypeAdapter(Seed),
}


class Axis(Model):
    """What changes along one side of a grid, and the values it takes."""

    name: AxisName
    values: Annotated[list[float], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _values_are_admitted(self) -> Axis:
        admitted = _ADMITTED[self.name]
        for value in self.values:
            try:
                admitted.validate_python(value)
            except ValidationError as error:
                said = complaint(error.errors()[0])
                name = self.name.replace("_", " ")
                raise ValueError(f"{name} {value:g}: it {said}") from None
        return self


class Explore(Model):
    """A grid of pictures instead of `count` of them, row by row; everything else stays the same."""

    across: Axis
    down: Axis | None = None

    @model_validator(mode="after")
    def _is_a_grid(self) -> Explore:
        cells = len(self.across.values) * (len(self.down.values) if self.down else 1)
        if cells > MOST_RESULTS:
            raise ValueError(f"a grid has at most {MOST_RESULTS} cells, not {cells}")
        if self.down is not None and self.down.name == self.across.name:
            raise ValueError("the two sides of a grid must differ in what changes along them")
        return self


class GenerateRequest(Model):
    """Paint pictures; a subject is named in the prompt as @name. Picture k has seed `seed + k`.

    `width` and `height` 0 mean the base model's own resolution, or that of `init_image`. None for
    `guidance_scale` is the base's usual, for `sampler` the base's own, for `inference_steps` the
    sampler's usual. `strength` says how much of `init_image` may change: 0 gives it back; None is
    0.6, and 1 with a `mask`. With a `mask` nothing outside of it changes; `patch` then gives only
    what is inside, for a layer above. `poses` paints each of them on frames of one size and one
    baseline. A `variation_strength` moves the noise of `seed` towards that of `variation_seed + k`.
    `cutout` says how `transparent` pictures are cut out: "keying" takes a flat background away,
    "matting" asks the matting model, for backgrounds of any kind; "auto" keys what came out flat.
    """

    kind: Literal["generate"] = "generate"
    prompt: Prompt
    negative_prompt: NegativePrompt = ""
    base_model: ModelId | None = None
    count: Annotated[int, Field(ge=1, le=MOST_RESULTS), BeforeValidator(_integral)] = 1
    seed: Seed = 0
    width: Annotated[int, Field(ge=0, le=2048), BeforeValidator(_integral)] = 0
    height: Annotated[int, Field(ge=0, le=2048), BeforeValidator(_integral)] = 0
    sampler: SamplerName | None = None
    inference_steps: InferenceSteps | None = None
    guidance_scale: GuidanceScale | None = None
    unet_scale: AdapterScale = 1.0
    text_encoder_scale: AdapterScale = 1.0
    transparent: bool = False
    cutout: CutOut = "auto"
    tiling: bool = False
    init_image: ImageRef | None = None
    strength: Fraction | None = None
    mask: MaskRef | None = None
    patch: bool = False
    regions: Annotated[list[Region], Field(max_length=8)] = []
    pixel_art: PixelArt | None = None
    explore: Explore | None = None
    poses: Annotated[list[Caption], Field(max_length=MOST_RESULTS)] = []
    variation_seed: Seed = 0
    variation_strength: Fraction = 0.0

    @model_validator(mode="after")
    def _fits_together(self) -> GenerateRequest:
        for is_wrong, sentence in self._contradictions():
            if is_wrong:
                raise ValueError(sentence)
        return self

    def _contradictions(self) -> list[tuple[bool, str]]:
        """Each rule of what cannot be asked together, and what to do instead."""
        wanted = (self.width, self.height)
        sizes = {_size(region.mask) for region in self.regions}
        sizes |= {_size(self.init_image)} if self.init_image and self.regions else set()
        is_placed = self.mask is not None or bool(self.regions)
        return [
            (not self.init_image and self.mask is not None, "a mask needs an init_image"),
            (not self.init_image and self.strength is not None, "strength needs an init_image"),
            (self.patch and self.mask is None, "a patch needs a mask"),
            (self._mask_differs(), "the mask must have the size of the init_image"),
            (len(sizes) > 1, "all regions' masks, and the init_image, must have one size"),
            (
                is_placed and wanted not in ({(0, 0)} | sizes),
                "with masks the result has their size; leave width and height at 0",
            ),
            (
                self.explore is not None and (self.count > 1 or bool(self.poses)),
                "a grid has one picture a cell; leave count at 1 and poses empty",
            ),
            (
                self.count * len(self.poses) > MOST_RESULTS,
                f"poses times count must be at most {MOST_RESULTS}",
            ),
            (
                self.tiling and (is_placed or self.transparent),
                "tiling goes with neither transparent nor masks",
            ),
            (self.cutout != "auto" and not self.transparent, "a cutout needs transparent"),
            (self.mask is not None and bool(self.regions), "take a mask or regions, not both"),
            (
                self.mask is not None and self.pixel_art is not None and self.pixel_art.enlarge > 1,
                "with a mask the result has its size; leave enlarge at 1",
            ),
        ]

    def _mask_differs(self) -> bool:
        if self.mask is None or self.init_image is None:
            return False
        return _size(self.mask) != _size(self.init_image)


def _size(picture: ImageRef | MaskRef) -> tuple[int, int]:
    return picture.width, picture.height


class DescribeRequest(Model):
    """Ask what the pictures show: class nouns with probabilities, and good identifiers."""

    kind: Literal["describe"] = "describe"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]


class DownloadRequest(Model):
    """Fetch a model from its hub; what was fetched before a cancellation is not fetched again."""

    kind: Literal["download"] = "download"
    model: Downloadable


JobRequest = Annotated[
    LearnRequest | GenerateRequest | DescribeRequest | DownloadRequest,
    Field(discriminator="kind"),
]


class SubjectUse(Model):
    """A subject as it was when a picture was painted of it."""

    id: str
    name: str
    identifier: str
    class_noun: str
    adapter_sha256: str


class Recipe(Model):
    """What made one picture: `request`, sent again, paints it again.

    `text` is what the text encoder read; `width` and `height` are those it was painted at.
    """

    schema_version: Literal[1] = 1
    version: str
    base_model: str
    text: str
    subjects: list[SubjectUse]
    sampler: SamplerName
    inference_steps: Count
    guidance_scale: float
    width: Pixels
    height: Pixels
    request: GenerateRequest


class GeneratedImage(Model):
    """A result: raw straight-alpha BGRA8 in a blob, and what made it; a preview has no recipe.

    `parameters` says the recipe in the words that other tools read in a PNG.
    """

    blob: Sha256
    width: Pixels
    height: Pixels
    seed: Seed
    prompt: str
    label: str = ""
    recipe: Recipe | None = None
    parameters: str = ""


class ClassNounGuess(Model):
    noun: str
    probability: Fraction


class ClassNounList(Model):
    """All nouns that a base model takes for what a subject is; a longer one may end in one."""

    class_nouns: list[str]


class LikenessPoint(Model):
    """One probe while learning: mean cosines in [-1, 1]. Step 0 is the base's own, of the class.

    `prior_drift` is a mean squared distance of class pictures, `text_drift` how far the text
    encoder moved on prompts without the identifier (1 - cosine).
    """

    step: Count
    subject_fidelity: float
    prompt_fidelity: float
    prior_drift: float
    score: float
    text_drift: float = 0.0


class LearnReport(Model):
    """What became of the subject: the best probe against the last one, and why they differ.

    `kept_step` is the step whose adapter the subject has, `before` what the base painted of the
    class noun. `change` is how large each network's change is beside its weights, as a ratio of
    norms. `findings` are sentences for the artist.
    """

    kept_step: Count
    before: LikenessPoint | None = None
    best: LikenessPoint | None = None
    final: LikenessPoint | None = None
    change: dict[str, float] = {}
    findings: list[str] = []


class LearnResult(Model):
    kind: Literal["learn"] = "learn"
    subject_id: str
    training_steps: Count
    best_step: Count
    seconds: float
    curve: list[LikenessPoint] = []
    warnings: list[str] = []
    report: LearnReport | None = None


class GenerateResult(Model):
    """`sheet` shows a grid with its axes, or the frames of the poses side by side; `columns` of
    them in a row.
    """

    kind: Literal["generate"] = "generate"
    images: list[GeneratedImage]
    sheet: GeneratedImage | None = None
    columns: Count = 0
    warnings: list[str] = []


class DescribeResult(Model):
    kind: Literal["describe"] = "describe"
    class_nouns: list[ClassNounGuess]
    identifiers: list[str]
    warnings: list[str] = []


class DownloadResult(Model):
    kind: Literal["download"] = "download"
    model: Downloadable
    size_bytes: Count
    warnings: list[str] = []


JobResult = Annotated[
    LearnResult | GenerateResult | DescribeResult | DownloadResult, Field(discriminator="kind")
]


class Progress(Model):
    """Where a job is: `phase` in a few plain words, `previews` are results so far."""

    phase: str = "waiting"
    step: Count = 0
    total: Count = 0
    fraction: Fraction = 0.0
    eta_s: float | None = None
    loss: float | None = None
    curve: list[LikenessPoint] = []
    previews: list[GeneratedImage] = []


class FieldError(Model):
    pointer: str
    code: str
    message: str


class Problem(Model):
    """RFC 9457 problem details; `detail` is the sentence for the artist."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retryable: bool = False
    errors: list[FieldError] = []
    request_id: str = ""


class JobError(Model):
    code: str
    sentence: str
    retryable: bool = False


class JobView(Model):
    """A job as the API shows it. Times are Unix seconds.

    `owner` is the artist whose token asked for it, empty for the one who runs the service.
    `stalled`: it runs, but its worker gives no sign of life; it is replaced if that goes on.
    """

    id: str
    kind: Literal["learn", "generate", "describe", "download"]
    title: str
    state: JobState
    attempt: Count
    owner: str = ""
    stalled: bool = False
    progress: Progress
    result: JobResult | None = None
    error: JobError | None = None
    created: float
    started: float | None = None
    finished: float | None = None


class JobList(Model):
    jobs: list[JobView]


class MoveRequest(Model):
    """Where a waiting job shall stand: right before another of its kind, or last."""

    before: JobId | None = None


class QueueRequest(Model):
    """`held` starts nothing new, `ending` stops the service after the running job."""

    state: QueueState


class QueueView(Model):
    """Whether jobs are started, and the ids of those that wait, the next one first."""

    state: QueueState
    waiting: list[str]


class WorkerView(Model):
    """One that carries out jobs: a process or a cluster's GPU, and the job it has, if any."""

    name: str
    job_id: str = ""
    base_model: str = ""


class WaitView(Model):
    """A job that waits: since when, in Unix seconds, and for what."""

    job_id: str
    owner: str
    kind: str
    title: str
    since: float
    reason: str


class ArtistView(Model):
    """What an artist has running, waiting and had: `used_s` seconds of GPU since the service began.
    `name` is empty for the one who runs it.
    """

    name: str
    running: Count
    waiting: Count
    used_s: float


class StudioView(Model):
    """Who works at what, who waits for what, the next one of its urgency first, and who had how
    much.
    """

    workers: list[WorkerView]
    waiting: list[WaitView]
    artists: list[ArtistView]


class KindStats(Model):
    """The jobs of one kind that the ledger still holds: how many by state, how many attempts were
    lost, and median seconds from asking to the start and from the start to a good end; None before
    there is any.
    """

    kind: str
    states: dict[JobState, Count]
    lost: Count
    wait_s: float | None = None
    run_s: float | None = None


class StatsView(Model):
    """Counts and durations of the jobs still known, nothing of what they were about. `since`: when
    the oldest was asked for, in Unix seconds. `free_bytes` are those of the data folder's disk.
    """

    since: float | None
    free_bytes: Count
    kinds: list[KindStats]


class TokenRequest(Model):
    """A token for one artist of a shared machine."""

    name: ArtistName


class LimitsRequest(Model):
    """How many jobs of an artist may run at once and how many may wait; 0 for the usual: as many
    as there is room for, and 200.
    """

    gpus: Count = 0
    queued: Count = 0


class TokenView(Model):
    """An artist with a token, and their limits, 0 for none of their own."""

    name: ArtistName
    created: float
    gpus: Count = 0
    queued: Count = 0


class TokenList(Model):
    tokens: list[TokenView]


class NewToken(Model):
    """The token itself is said this once; the service keeps only its sha256."""

    name: ArtistName
    token: str


class SubjectView(Model):
    """A learnt subject. Its `references` are the pictures it was learnt from."""

    id: str
    name: str
    class_noun: str
    identifier: str
    base_model: str
    created: float
    owner: str = ""
    references: list[ImageRef]
    training_steps: Count
    likeness: float | None = None
    warnings: list[str] = []
    report: LearnReport | None = None


class RenameRequest(Model):
    """What to call a subject from now on; its id, and what was painted of it, stay."""

    name: SubjectName


class ImportRequest(Model):
    """Make a subject of another program's LoRA file. Its bytes were sent beforehand as blobs:
    `parts` in order. An empty identifier is the file's own trigger word.
    """

    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier = ""
    base_model: ModelId = "sprite32"
    parts: Annotated[list[Sha256], Field(min_length=1, max_length=64)]
    file_name: Annotated[str, Field(max_length=300), AfterValidator(_one_line)] = ""


class ParcelRequest(Model):
    """Bring in a subject that another Modelsheet packed. Its bytes were sent beforehand as blobs:
    `parts` in order.
    """

    parts: Annotated[list[Sha256], Field(min_length=1, max_length=64)]


class SubjectList(Model):
    subjects: list[SubjectView]


class BaseModelView(Model):
    id: str
    family: Family
    resolution: Pixels
    available: bool
    note: str = ""


class Estimate(Model):
    """What learning takes at most. `seconds` as it went here the last time (`seen_here`), else as
    measured on one core of a processor; None where neither is known. `memory_bytes` were measured
    on a processor, 0 where they were not; a graphics card, which keeps what is not learnt at half
    the precision, needs less. `free_bytes` of memory are free on the service's machine now.
    """

    training_steps: Count
    seconds: float | None = None
    seen_here: bool = False
    memory_bytes: Count = 0
    free_bytes: Count = 0


class ModelView(Model):
    """A model on this machine or one that can be downloaded. `kind` "naming" is the CLIP that
    guesses class nouns and measures likeness, "matting" cuts figures out; `size_bytes` of a missing
    one is what it will have.
    """

    id: str
    kind: Literal["base", "naming", "matting"]
    family: Family | None = None
    state: Literal["ready", "missing", "faulty"]
    path: str = ""
    size_bytes: Count = 0
    licence: str = ""
    note: str = ""


class ModelList(Model):
    models: list[ModelView]


class AddModelRequest(Model):
    """Name a model of the service's machine: a folder in diffusers' layout, a .safetensors
    checkpoint, or the folder of a ComfyUI or A1111 with its checkpoints. It stays where it lies.

    `config` is a folder of config files for a checkpoint of another build than usual.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_one_line)]
    name: Annotated[str, Field(max_length=100), AfterValidator(_one_line)] = ""
    config: Annotated[str, Field(max_length=4096), AfterValidator(_one_line)] = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""


class Capabilities(Model):
    """What this service is and has, and in sentences what its machine lacks; the plugin refuses
    another major `api`.
    """

    api: str
    version: str
    boot_id: str
    base_models: list[BaseModelView]
    presets: list[str]
    samplers: list[str] = []
    limits: dict[str, int]
    shortcomings: list[str] = []


class Event(Model):
    """One thing that happened to a job; `job` is the whole view after it."""

    seq: Count
    type: Literal["job", "subjects"]
    job: JobView | None = None


class EventPage(Model):
    """`cursor` goes into the next `after`; a `gap` means: read /v1/jobs again."""

    events: list[Event]
    cursor: str
    gap: bool = False
    retry_ms: Count = 0


class Ping(Model):
    ok: Literal[True] = True
    proof: str = ""


class BlobView(Model):
    sha256: Sha256
    size: Count


class Empty(Model):
    """An answer with nothing to say."""
