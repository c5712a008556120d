/** Begins to look whether the page is in the background; gives a function that ends it and tells for how many ms. */
export function watchHidden(): () => number {
  let sumMs = 0;
  let since = document.hidden ? performance.now() : null;
  const look = () => {
    const now = performance.now();
    if (since !== null) sumMs += now - since;
    since = document.hidden ? now : null;
  };
  document.addEventListener("visibilitychange", look);
  return () => {
    document.removeEventListener("visibilitychange", look);
    look();
    return Math.round(sumMs);
  };
}
