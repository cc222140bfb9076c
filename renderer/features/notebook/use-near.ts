import { type RefObject, useEffect, useState } from "react";

/** Cells that only fly past stay as they are. */
const SETTLE_MS = 120;

/** Whether an element has been in the viewport, or within `margin` pixels of it, for a moment. */
export function useNear(ref: RefObject<HTMLElement | null>, margin = 400): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const observer = new IntersectionObserver(
      (entries) => {
        const last = entries.at(-1);
        if (!last) return;
        if (timer !== null) clearTimeout(timer);
        timer = setTimeout(() => setNear(last.isIntersecting), SETTLE_MS);
      },
      { rootMargin: `${margin}px 0px` },
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      if (timer !== null) clearTimeout(timer);
    };
  }, [ref, margin]);
  return near;
}
