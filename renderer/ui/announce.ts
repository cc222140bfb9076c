/** One polite live region for what happens off screen ("Copied the table"). */
let region: HTMLElement | null = null;

export function announce(message: string): void {
  if (!region?.isConnected) {
    region = document.createElement("div");
    region.className = "visually-hidden";
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  const target = region;
  target.textContent = "";
  // A region that is set to the same text twice stays silent.
  setTimeout(() => {
    target.textContent = message;
  }, 20);
}
