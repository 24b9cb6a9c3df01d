import { type Signal, useSignal } from '@preact/signals';
import { withoutAlpha } from '@rcnn/coco-data';
import type { PixelImage } from '@rcnn/core';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { painted } from './painted.ts';
import { act } from './state.ts';

export interface Camera {
  /** Of the element that plays what it sees. */
  readonly video: RefObject<HTMLVideoElement | null>;
  readonly on: Signal<boolean>;
  readonly toggle: () => void;
}

/** Frames of a camera, each when the one before was looked at. They leave the page no more than anything else does. */
export function useCamera(look: (frame: PixelImage) => Promise<void>): Camera {
  const video = useRef<HTMLVideoElement | null>(null);
  const on = useSignal(false);
  const stream = useRef<MediaStream | undefined>(undefined); // outlives the element: the camera goes off with the page
  const stop = (): void => {
    on.value = false;
    for (const track of stream.current?.getTracks() ?? []) track.stop();
    stream.current = undefined;
  };
  useEffect(() => stop, []);
  const watch = async (): Promise<void> => {
    stream.current = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    const screen = video.current;
    if (screen === null) return stop(); // the page was left while the browser asked
    screen.srcObject = stream.current;
    await screen.play();
    on.value = true;
    try {
      while (on.peek() && video.current !== null) {
        await look(frameOf(screen));
        await painted();
      }
    } finally {
      stop();
    }
  };
  return { video, on, toggle: () => (on.peek() ? stop() : act(watch)) };
}

function frameOf(video: HTMLVideoElement): PixelImage {
  const { videoWidth: width, videoHeight: height } = video;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.drawImage(video, 0, 0);
  return withoutAlpha(context.getImageData(0, 0, width, height));
}
