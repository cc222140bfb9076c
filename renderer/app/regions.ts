/** F6 and Shift+F6 go from landmark to landmark, in the order of the page. */
export function cycleRegion(by: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter((region) => region.offsetParent);
  if (regions.length === 0) return;
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions[(at + by + regions.length) % regions.length];
  if (next) enter(next);
}

/** The element that Tab would reach first, or the region itself. */
function enter(region: HTMLElement): void {
  const inside =
    region.querySelector<HTMLElement>('[role="listitem"][tabindex="0"]') ??
    region.querySelector<HTMLElement>(
      'button:not(:disabled):not([tabindex="-1"]), a[href], input:not(:disabled), [tabindex="0"]',
    );
  (inside ?? region).focus();
}
