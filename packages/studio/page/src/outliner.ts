import '@annotorious/annotorious/annotorious.css';
import {
  type AnnotationBody,
  createImageAnnotator,
  type ImageAnnotation,
  type ImageAnnotator,
  type MultiPolygon,
  type Polygon,
  type Rectangle,
  ShapeType,
  simplifyPoints,
  UserSelectAction,
} from '@annotorious/annotorious';
import type { StudioObject, StudioPicture } from '../../src/api.ts';
import type { Color } from './colors.ts';

export interface OutlinerEvents {
  /** Something about the objects has changed: drawn, pulled, deleted, undone. */
  readonly onChange: () => void;
  readonly onSelect: (id: string | undefined) => void;
  /** An outline was finished: it gets the class that this gives. */
  readonly classOfNew: () => number;
}

/** An object on the canvas: what is kept, and how the canvas calls it. */
export interface Drawn {
  readonly name: string;
  readonly object: StudioObject;
}

type Shape = Polygon | MultiPolygon | Rectangle;

/** The canvas with the outlines of one picture: Annotorious, in the words of the studio. */
export class Outliner {
  readonly #annotator: ImageAnnotator;
  readonly #color: (classId: number) => Color;
  /** Numbers in the file, of objects that have one. */
  readonly #ids = new Map<string, number>();
  /** Shown, never changed: crowds. */
  #fixed: readonly StudioObject[] = [];
  readonly #names: MutationObserver;
  #quiet = false;

  constructor(image: HTMLImageElement, color: (classId: number) => Color, events: OutlinerEvents) {
    this.#color = color;
    this.#annotator = createImageAnnotator(image, {
      drawingEnabled: false,
      drawingMode: 'click',
      userSelectAction: UserSelectAction.EDIT,
      style: ({ bodies }, state) => {
        const own = this.#color(classOf(bodies));
        const isUp = state?.selected === true || state?.hovered === true;
        return { stroke: own, strokeWidth: isUp ? 3 : 2, fill: own, fillOpacity: isUp ? 0.35 : 0.2 };
      },
    });
    this.#annotator.setDrawingTool('polygon');
    this.#names = nameCorners(image.parentElement!);
    // Not by its events, which come later than the next key: that key would be for an outline that was let go.
    const { selection, store } = this.#annotator.state;
    selection.subscribe(() => events.onSelect(selection.selected[0]?.id));
    store.observe(({ changes }) => {
      if (this.#quiet) return;
      // Undoing a deletion creates too, and what comes back has its class.
      for (const { id, bodies } of changes.created ?? [])
        if (bodies.length === 0) this.#later(() => this.setClass(id, events.classOfNew()));
      events.onChange();
    });
  }

  /** Shows what a picture has. What was drawn is gone; so is what could be undone. */
  load({ objects }: StudioPicture): void {
    this.#quiet = true;
    this.#ids.clear();
    this.#fixed = objects.filter(({ editable }) => editable === false).map(plain);
    const shown = objects.filter(({ editable }) => editable !== false);
    for (const { id } of shown) this.#ids.set(`object-${id}`, id);
    this.#annotator.setAnnotations(
      shown.map((object) => annotationOf(`object-${object.id}`, object)),
      true,
    );
    this.#quiet = false;
  }

  /** When the canvas is done with what it is doing, and before anything else happens. */
  #later(work: () => void): void {
    queueMicrotask(() => {
      if (!this.#quiet) work();
    });
  }

  /** All objects, in an order that stays: those that cannot be changed first. */
  objects(): readonly StudioObject[] {
    return [...this.#fixed, ...this.drawn().map(({ object }) => object)];
  }

  drawn(): readonly Drawn[] {
    return this.#annotator
      .getAnnotations()
      .filter(({ bodies }) => bodies.length > 0)
      .map((annotation) => {
        const { id: name, bodies, target } = annotation;
        const shape = target.selector as unknown as Shape;
        return { name, object: { id: this.#ids.get(name), classId: classOf(bodies), ...geometryOf(shape) } };
      });
  }

  /** Gives objects that were new the numbers that they have now. */
  number({ objects }: StudioPicture, names: readonly string[]): void {
    for (const [i, name] of names.entries()) {
      const kept = objects[this.#fixed.length + i];
      if (kept !== undefined) this.#ids.set(name, kept.id);
    }
  }

  add(object: StudioObject): string {
    const name = crypto.randomUUID();
    // Into the store itself, as somebody here would draw it: what the annotator adds cannot be undone.
    this.#annotator.state.store.addAnnotation(annotationOf(name, object));
    return name;
  }

  setClass(name: string, classId: number): void {
    const annotation = this.#annotator.getAnnotationById(name);
    if (annotation !== undefined) this.#annotator.updateAnnotation({ ...annotation, bodies: [bodyOf(name, classId)] });
  }

  remove(name: string): void {
    this.#annotator.cancelSelected();
    this.#annotator.removeAnnotation(name);
  }

  select(name: string | undefined): void {
    if (name === undefined) this.#annotator.cancelSelected();
    else this.#annotator.setSelected(name, true);
  }

  /** Draw new outlines, or choose and pull those that are there. */
  setDrawing(drawing: boolean): void {
    if (!drawing) this.#annotator.cancelDrawing();
    else this.#annotator.cancelSelected();
    this.#annotator.setDrawingEnabled(drawing);
  }

  undo(): void {
    this.#annotator.undo();
  }

  redo(): void {
    this.#annotator.redo();
  }

  get canUndo(): boolean {
    return this.#annotator.canUndo();
  }

  get canRedo(): boolean {
    return this.#annotator.canRedo();
  }

  destroy(): void {
    this.#quiet = true;
    this.#names.disconnect();
    this.#annotator.destroy();
  }
}

/** Corners are buttons to the canvas, which gives them no name for who cannot see them. @returns what keeps naming them */
function nameCorners(place: HTMLElement): MutationObserver {
  const observer = new MutationObserver(() => {
    for (const corner of place.querySelectorAll('[role="button"]:not([aria-label])'))
      corner.setAttribute('aria-label', 'Corner');
  });
  observer.observe(place, { childList: true, subtree: true });
  return observer;
}

/** An outline with few enough corners to pull at: masks of models have one at every pixel. */
export function fewer(polygons: readonly (readonly number[])[], tolerance: number): number[][] {
  return polygons.map((part) => simplifyPoints(pairs(part), tolerance).flat()).filter((part) => part.length >= 6);
}

function plain({ id, classId, polygons, box }: StudioObject): StudioObject {
  return { id, classId, polygons, box };
}

function classOf(bodies: readonly AnnotationBody[]): number {
  return Number(bodies[0]?.value ?? 0);
}

function bodyOf(name: string, classId: number): AnnotationBody {
  return { id: `${name}-class`, annotation: name, purpose: 'classifying', value: String(classId) };
}

function annotationOf(name: string, object: StudioObject): ImageAnnotation {
  return {
    id: name,
    bodies: [bodyOf(name, object.classId)],
    target: { annotation: name, selector: shapeOf(object) },
  } as unknown as ImageAnnotation;
}

function shapeOf({ polygons, box }: StudioObject): Shape {
  const [minX, minY, maxX, maxY] = box;
  const bounds = { minX, minY, maxX, maxY };
  if (polygons.length === 0) {
    const geometry = { bounds, x: minX, y: minY, w: maxX - minX, h: maxY - minY };
    return { type: ShapeType.RECTANGLE, geometry } as unknown as Rectangle;
  }
  if (polygons.length === 1) {
    const points = pairs(polygons[0]!);
    return { type: ShapeType.POLYGON, geometry: { bounds: boundsOf(points), points } };
  }
  const parts = polygons.map((part) => {
    const points = pairs(part);
    return { rings: [{ points }], bounds: boundsOf(points) };
  });
  return { type: ShapeType.MULTIPOLYGON, geometry: { bounds: boundsOf(polygons.flatMap(pairs)), polygons: parts } };
}

function geometryOf({ type, geometry }: Shape): Pick<StudioObject, 'polygons' | 'box'> {
  const { minX, minY, maxX, maxY } = geometry.bounds;
  const box = [minX, minY, maxX, maxY] as const;
  if (type === ShapeType.POLYGON) return { polygons: [(geometry as Polygon['geometry']).points.flat()], box };
  if (type !== ShapeType.MULTIPOLYGON) return { polygons: [], box };
  const { polygons } = geometry as MultiPolygon['geometry'];
  return { polygons: polygons.map(({ rings }) => rings[0]!.points.flat()), box };
}

function pairs(flat: readonly number[]): [number, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}

function boundsOf(points: readonly (readonly [number, number])[]): Polygon['geometry']['bounds'] {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return { minX: Math.min(...xs), minY: Math.min(...ys), maxX: Math.max(...xs), maxY: Math.max(...ys) };
}
