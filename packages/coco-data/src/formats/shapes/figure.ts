import type { Random } from '@rcnn/core/random';

/** COCO's 17 key points of a person, in order. */
export const PERSON_KEYPOINTS = [
  'nose',
  'left_eye',
  'right_eye',
  'left_ear',
  'right_ear',
  'left_shoulder',
  'right_shoulder',
  'left_elbow',
  'right_elbow',
  'left_wrist',
  'right_wrist',
  'left_hip',
  'right_hip',
  'left_knee',
  'right_knee',
  'left_ankle',
  'right_ankle',
] as const;

type Name = (typeof PERSON_KEYPOINTS)[number];
type Point = readonly [x: number, y: number];

/** Lines between them as COCO's files have them, counted from 1. */
export const PERSON_SKELETON: readonly (readonly [number, number])[] = [
  ...([
    [16, 14],
    [14, 12],
    [17, 15],
    [15, 13],
    [12, 13],
  ] as const),
  ...([
    [6, 12],
    [7, 13],
    [6, 7],
    [6, 8],
    [7, 9],
    [8, 10],
    [9, 11],
  ] as const),
  ...([
    [2, 3],
    [1, 2],
    [1, 3],
    [2, 4],
    [3, 5],
    [4, 6],
    [5, 7],
  ] as const),
];

/** A stick figure that looks at you: its left is on the right of the picture. */
export interface Figure {
  /** The 17 key points, in pixels. */
  readonly points: readonly Point[];
  /** Outlines of head, trunk and limbs, flat, in pixels; they overlap. */
  readonly parts: readonly Float64Array[];
  /** Of the head, for its own colour. */
  readonly head: Float64Array;
}

/** Shares of the height; x is the distance from the middle. */
const BODY = {
  headRadius: 0.1,
  shoulder: [0.13, 0.25],
  hip: [0.08, 0.54],
  upperArm: 0.17,
  lowerArm: 0.15,
  leg: 0.21,
} as const;
const EYES = [0.045, 0.075] as const;
const EARS = [0.09, 0.1] as const;
/** Width of a limb and of the trunk beyond its corners, as a share of the height. */
const LIMB = 0.075;

/** A figure in a pose of its own. @param top the middle of its highest edge, in pixels */
export function drawFigure([left, top]: Point, height: number, random: Random): Figure {
  const lean = random.uniform(-0.15, 0.15); // radians
  const [cos, sin] = [Math.cos(lean), Math.sin(lean)];
  const middle = top + height / 2;
  /** From shares of an upright figure to pixels: turned about its middle. */
  const place = (x: number, y: number): Point => {
    const [across, down] = [x * height, y * height - height / 2];
    return [left + across * cos - down * sin, middle + across * sin + down * cos];
  };
  const at = new Map<Name, Point>([['nose', place(0, 0.1)]]);
  const parts: Float64Array[] = [];
  for (const [name, side] of [
    ['left', 1],
    ['right', -1],
  ] as const) {
    at.set(`${name}_eye`, place(side * EYES[0], EYES[1])).set(`${name}_ear`, place(side * EARS[0], EARS[1]));
    const [shoulder, hip] = [
      [side * BODY.shoulder[0], BODY.shoulder[1]],
      [side * BODY.hip[0], BODY.hip[1]],
    ] as const;
    const arm = random.uniform(0.15, 2.6); // from hanging down to held up, away from the body
    const elbow = ahead(shoulder, side * arm, BODY.upperArm);
    const wrist = ahead(elbow, side * (arm + random.uniform(-0.6, 0.6)), BODY.lowerArm);
    const stride = random.uniform(0, 0.6);
    const knee = ahead(hip, side * stride, BODY.leg);
    const ankle = ahead(knee, side * (stride + random.uniform(-0.4, 0.1)), BODY.leg);
    const joints = { shoulder, elbow, wrist, hip, knee, ankle };
    for (const [joint, [x, y]] of Object.entries(joints)) at.set(`${name}_${joint}` as Name, place(x, y));
    for (const chain of [
      ['shoulder', 'elbow', 'wrist'],
      ['hip', 'knee', 'ankle'],
    ] as const) {
      for (const i of [0, 1]) {
        const ends = [at.get(`${name}_${chain[i]!}` as Name)!, at.get(`${name}_${chain[i + 1]!}` as Name)!] as const;
        parts.push(limb(...ends, LIMB * height));
      }
    }
  }
  const head = circle(place(0, 0.1), BODY.headRadius * height);
  parts.push(trunk(at, LIMB * height), head);
  return { points: PERSON_KEYPOINTS.map((name) => at.get(name)!), parts, head };
}

/** The end of a bone that begins at a point. @param angle from straight down, in radians, counter-clockwise */
function ahead([x, y]: Point, angle: number, length: number): Point {
  return [x + length * Math.sin(angle), y + length * Math.cos(angle)];
}

/** A bar around a line, longer than it by half its width at both ends. */
function limb([x1, y1]: Point, [x2, y2]: Point, width: number): Float64Array {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [ux, uy] = [((x2 - x1) / length) * (width / 2), ((y2 - y1) / length) * (width / 2)];
  const corners: Point[] = [
    [x1 - ux - uy, y1 - uy + ux],
    [x1 - ux + uy, y1 - uy - ux],
    [x2 + ux + uy, y2 + uy - ux],
    [x2 + ux - uy, y2 + uy + ux],
  ];
  return Float64Array.from(corners.flat());
}

function trunk(at: ReadonlyMap<Name, Point>, width: number): Float64Array {
  const corners = (['left_shoulder', 'left_hip', 'right_hip', 'right_shoulder'] as const).map((name) => at.get(name)!);
  const [cx, cy] = [0, 1].map((axis) => corners.reduce((sum, point) => sum + point[axis]!, 0) / 4) as [number, number];
  return Float64Array.from(
    corners.flatMap(([x, y]) => {
      const out = width / 2 / Math.hypot(x - cx, y - cy);
      return [x + (x - cx) * out, y + (y - cy) * out];
    }),
  );
}

function circle([x, y]: Point, radius: number): Float64Array {
  const corners = 24;
  return Float64Array.from({ length: 2 * corners }, (_, i) => {
    const angle = (Math.PI * 2 * Math.floor(i / 2)) / corners;
    return i % 2 === 0 ? x + radius * Math.cos(angle) : y + radius * Math.sin(angle);
  });
}
