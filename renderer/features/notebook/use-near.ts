import { type RefObject, useEffect, useState } from "react";

/** Whether an element is in the viewport or within `margin` pixels of it. */
export function useNear(ref: RefObject<HTMLElement | null>, margin = 600): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new IntersectionObserver(
      (entries) => {
        const last = entries.at(-1);
        if (last) setNear(last.isIntersecting);
      },
      { rootMargin: `${margin}px 0px` },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref, margin]);
  return near;
}
