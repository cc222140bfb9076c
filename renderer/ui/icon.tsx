/** Small line icons, drawn for a 16 × 16 box. Decorative: the control that holds one carries the name. */
const PATHS = {
  notebook: "M4 2.5h8.5v11H4zM4 2.5v11M6.8 5.5h3.4M6.8 8h3.4M2.5 5h1.5M2.5 8h1.5M2.5 11h1.5",
  encoders: "M3 4h10M3 8h10M3 12h6M11 11v3M12.5 12.5h-3",
  runs: "M2.5 2.5v11h11M4.5 5c1 4.5 2.5 6 8.5 6.2",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 3v3M6 10v3",
  plus: "M8 3v10M3 8h10",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.2v9.6l7.5-4.8z",
  stop: "M4.5 4.5h7v7h-7z",
  restart: "M12.5 8a4.5 4.5 0 1 1-1.4-3.2M12.8 2.5v2.8H10",
  up: "M8 13V3.5M4 7l4-4 4 4",
  down: "M8 3v9.5M4 9l4 4 4-4",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  copy: "M5.5 5.5h7v7.5h-7zM10 5.5V3H3v7.5h2.5",
  folder: "M2.5 4h4l1.2 1.5h5.8V12.5h-11z",
  file: "M4.5 2.5h5l2.5 2.5v8.5H4.5zM9 2.5V5.5h3",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3L13.5 13.5",
  panel: "M2.5 3h11v10h-11zM9.5 3v10",
  chevronRight: "M6 3.5L10.5 8 6 12.5",
  chevronDown: "M3.5 6L8 10.5 12.5 6",
  check: "M3 8.5l3.2 3.2L13 4.8",
  save: "M3 3h8l2 2v8H3zM5.5 3v3h5V3M5.5 13V9.5h5V13",
  cut: "M5 11.5l7-8M11 11.5l-7-8M4 13.5a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2zM12 13.5a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2z",
  edit: "M3 13l.6-2.8L10.8 3l2.2 2.2L5.8 12.4z",
  split: "M2.5 8h11M8 2.5V6M8 13.5V10",
  external: "M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3L7.5 8.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  const thick = name === "more" ? 2 : 1.4;
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill={name === "play" || name === "stop" ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth={thick}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
