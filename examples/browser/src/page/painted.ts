/** Long enough for any frame; none comes to a tab that is hidden. */
const FRAME = 100;

/**
 * Waits until the browser has shown what has changed and taken clicks: engines that compute on the processor never give
 * it the time by themselves.
 */
export function painted(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FRAME);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      setTimeout(resolve);
    });
  });
}
