"""torchvision's half of `npm run bench -- learn`: its own Mask R-CNN R50-FPN, taking the steps that our half takes.

    python train_peer.py train FOLDER               goes on where an earlier call was stopped
    python train_peer.py evaluate FOLDER WEIGHTS    AP of a checkpoint (.pth or .safetensors) on the validation images

FOLDER/task.json says everything: for each step the images, what is seen of them, whether they are flipped and their size
in pixels after resizing, the learning rate, the parameters that learn with their factors and decay; start.safetensors has the weights to
begin with. What is torchvision's own: the model with all its losses and samplers, the optimizer, the evaluation
(pycocotools). Writes FOLDER/peer/metrics.jsonl in the form of our runs, and model.pth.
Needs torch, torchvision, pycocotools.
"""

import contextlib
import io
import json
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch.nn.functional import interpolate
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops.misc import FrozenBatchNorm2d

DTYPES = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64}


def quiet():
    """pycocotools prints what it does."""
    return contextlib.redirect_stdout(io.StringIO())


def read_safetensors(path):
    """The format is a length, a JSON header and the bytes of all tensors; groups such as the optimizer's are left out."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if "/" in name:
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[start:end]), dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def read_weights(path):
    return read_safetensors(path) if path.endswith(".safetensors") else torch.load(path, map_location="cpu")["model"]


class GivenSizes(GeneralizedRCNNTransform):
    """torchvision's transform, but the sizes come from the task: its own rounding may differ by a pixel."""

    sizes = None

    def resize(self, image, target=None):
        if self.sizes is None:
            return super().resize(image, target)
        size = self.sizes.pop(0)
        height, width = image.shape[-2:]
        image = interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]
        ratio = torch.tensor([size[1] / width, size[0] / height] * 2, dtype=torch.float32)
        found = interpolate(target["masks"][:, None].float(), size=size)[:, 0].byte()
        return image, {**target, "boxes": target["boxes"] * ratio, "masks": found}


def build(task):
    m = task["model"]
    # A pretrained body comes with frozen norms, as `weights_backbone=` has it.
    body = torchvision.models.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    backbone = _resnet_fpn_extractor(body, m["trainableStages"])
    options = {"box_score_thresh": m["scoreThreshold"], "box_detections_per_img": m["detections"]}
    if "roisPerImage" in m:
        options["box_batch_size_per_image"] = m["roisPerImage"]
    if "proposals" in m:
        options["rpn_post_nms_top_n_train"] = options["rpn_post_nms_top_n_test"] = m["proposals"]
    if "anchorSizes" in m:
        sizes = tuple((size,) for size in m["anchorSizes"])
        options["rpn_anchor_generator"] = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    model = MaskRCNN(backbone, num_classes=m["numClasses"], min_size=m["minSize"], max_size=m["maxSize"], **options)
    t = model.transform
    model.transform = GivenSizes(t.min_size, t.max_size, t.image_mean, t.image_std)
    return model


def load(model, tensors):
    known = model.state_dict()
    given = {name: tensor.float() for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    model.load_state_dict({n: t.reshape(known[n].shape) if n in known else t for n, t in given.items()})


def cut(window, pixels, boxes, found):
    """What a window shows. An object whose centre is outside is left out; one that is cut gets the box of its mask."""
    x, y, width, height = window
    pixels, found = (t[..., y : y + height, x : x + width] for t in (pixels, found))
    boxes = boxes - torch.tensor([x, y, x, y], dtype=torch.float32)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    whole = torch.tensor([width, height], dtype=torch.float32)
    kept = ((centres > 0) & (centres < whole)).all(1) & found.flatten(1).any(1)
    boxes, found = boxes[kept], found[kept]
    is_cut = (boxes < 0).any(1) | (boxes[:, 2:] > whole).any(1)
    if is_cut.any():
        left = torchvision.ops.masks_to_boxes(found[is_cut])
        left[:, 2:] += 1  # of the last pixel: its far side
        boxes[is_cut] = left
    return pixels, boxes, found, kept


class Pictures:
    """The images of a COCO file, with their objects as torchvision's detectors take them."""

    def __init__(self, file, labels):
        with quiet():
            self.coco = COCO(str(file))
        self.labels = {int(category): label for category, label in labels.items()}

    def pixels(self, id):
        image = Image.open(self.coco.imgs[id]["file_name"]).convert("RGB")
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255

    def sample(self, id, flip, window=None):
        pixels = self.pixels(id)
        own = [a for a in self.coco.imgToAnns[id] if not a.get("iscrowd")]
        boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in own)], dtype=torch.float32)
        found = torch.from_numpy(np.stack([self.coco.annToMask(a) for a in own]))
        labels = torch.tensor([self.labels[a["category_id"]] for a in own])
        if window:
            pixels, boxes, found, kept = cut(window, pixels, boxes, found)
            labels = labels[kept]
        if flip:
            width = pixels.shape[-1]
            pixels, found = pixels.flip(-1), found.flip(-1)
            boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
        return pixels, {"boxes": boxes, "labels": labels, "masks": found}


def predict(model, pictures):
    """A COCO results list."""
    categories = {label: category for category, label in pictures.labels.items()}
    results = []
    for id in sorted(pictures.coco.imgs):
        found = model([pictures.pixels(id)])[0]
        for box, label, score, mask in zip(found["boxes"], found["labels"], found["scores"], found["masks"]):
            rle = masks.encode(np.asfortranarray((mask[0] > 0.5).numpy().astype(np.uint8)))
            x1, y1, x2, y2 = box.tolist()
            results.append(
                {
                    "image_id": id,
                    "category_id": categories[int(label)],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                    "score": float(score),
                }
            )
    return results


def evaluate(model, pictures):
    model.eval()
    model.transform.sizes = None
    with torch.inference_mode():
        results = predict(model, pictures)
    scores = {}
    for kind in ("segm", "bbox"):
        stats = [0.0, 0.0]
        if results:
            with quiet():
                run = COCOeval(pictures.coco, pictures.coco.loadRes([dict(result) for result in results]), kind)
                run.evaluate(), run.accumulate(), run.summarize()
            stats = run.stats
        scores[f"{kind}/AP"], scores[f"{kind}/AP50"] = float(stats[0]), float(stats[1])
    return scores, results


def optimizer_of(model, task):
    """The rate of a step is set when it is taken; groups carry their factor on it."""
    settings = task["optimizer"]["parameters"]
    named = dict(model.named_parameters())
    missing = sorted(set(settings) - set(named))
    if missing:
        sys.exit(f"torchvision has no parameters {missing[:5]}")
    groups = {}
    for name, parameter in named.items():
        parameter.requires_grad_(name in settings)
        if name in settings:
            groups.setdefault((settings[name]["rate"], settings[name]["weightDecay"]), []).append(parameter)
    listed = [{"params": own, "factor": factor, "weight_decay": decay} for (factor, decay), own in groups.items()]
    kind = task["optimizer"]["kind"]
    if kind == "adamw":
        return torch.optim.AdamW(listed, lr=1)
    return torch.optim.SGD(listed, lr=1, momentum=task["optimizer"]["momentum"], nesterov=kind == "sgdNesterov")


def write_whole(path, contents):
    part = path.with_suffix(".part")
    torch.save(contents, part)
    part.replace(path)


class Training:
    def __init__(self, folder, task):
        self.folder, self.task, self.out = folder, task, folder / "peer"
        self.out.mkdir(exist_ok=True)
        torch.manual_seed(task["seed"])
        self.model = build(task)
        self.optimizer = optimizer_of(self.model, task)
        self.learns = [p for p in self.model.parameters() if p.requires_grad]
        self.step, self.lines = 0, []
        if (self.out / "state.pt").exists():
            self.restore()
        else:
            load(self.model, read_safetensors(folder / "start.safetensors"))
        # What a killed run wrote after its last save is taken again.
        (self.out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.lines))

    def restore(self):
        kept = torch.load(self.out / "state.pt", map_location="cpu", weights_only=False)
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["random"])
        self.step, self.lines = kept["step"], kept["lines"]

    def save(self):
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        where = {"step": self.step, "lines": self.lines, "random": torch.get_rng_state()}
        write_whole(self.out / "state.pt", {**parts, **where})

    def record(self, line):
        self.lines.append(line)
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def take_step(self, pictures):
        begun = time.perf_counter()
        images, settings = self.task["steps"][self.step], self.task["optimizer"]
        samples = [pictures.sample(image["image"], image["flip"], image.get("window")) for image in images]
        self.model.train()
        self.model.transform.sizes = [tuple(image["size"]) for image in images]
        losses = self.model([pixels for pixels, _ in samples], [target for _, target in samples])
        loss = sum(losses.values())
        self.optimizer.zero_grad()
        loss.backward()
        # Without a limit it only measures.
        norm = torch.nn.utils.clip_grad_norm_(self.learns, settings.get("clipNorm") or float("inf"))
        for group in self.optimizer.param_groups:
            group["lr"] = settings["rates"][self.step] * group["factor"]
        self.optimizer.step()
        self.step += 1
        parts = {name: float(value.detach()) for name, value in losses.items()}
        seconds = time.perf_counter() - begun
        total = float(loss.detach())
        self.record(
            {"kind": "step", "step": self.step, "epoch": 0, "loss": total, **parts, "gradientNorm": float(norm), "stepTime": seconds}
        )
        print(f"step {self.step}/{len(self.task['steps'])}  loss {total:.3f}  {seconds:.2f} s", flush=True)

    def run(self):
        stops = []
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stops.append(True))
        learning, validation = (Pictures(self.folder / f"{part}.json", self.task["labels"]) for part in ("train", "val"))
        steps = len(self.task["steps"])
        while self.step < steps and not stops:
            self.take_step(learning)
            if self.step in self.task["evaluateAfter"]:
                self.save()  # before the evaluation too: it may take long
                scores, results = evaluate(self.model, validation)
                self.record({"kind": "epoch", "step": self.step, "epoch": 0, **scores})
                (self.out / "predictions.json").write_text(json.dumps(results))
                print(f"after step {self.step}: {scores}", flush=True)
            if stops or self.step % self.task["saveEvery"] == 0 or self.step == steps:
                self.save()
        if self.step < steps:
            sys.exit(f"Stopped after {self.step} steps; the same call goes on.")
        write_whole(self.out / "model.pth", {"model": self.model.state_dict()})


def main():
    action, folder = sys.argv[1], Path(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    torch.set_num_threads(task["threads"])
    if action == "train":
        return Training(folder, task).run()
    model = build(task)
    load(model, read_weights(sys.argv[3]))
    scores, _ = evaluate(model, Pictures(folder / "val.json", task["labels"]))
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
