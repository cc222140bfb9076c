import { useEffect, useRef, useState } from "react";
import "./ui.css";

interface ProgressBarProps {
  done: number;
  /** 0 when not known: the bar then says only that work goes on. */
  total: number;
  /** Spoken name: "Encoding, cell 3". */
  label: string;
}

/** A thin bar. Its value is spoken at 0, 25, 50, 75 and 100 %, not at every change. */
export function ProgressBar({ done, total, label }: ProgressBarProps) {
  const share = total > 0 ? Math.max(0, Math.min(1, done / total)) : null;
  const quarter = share === null ? null : Math.floor(share * 4) * 25;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(quarter === null ? {} : { "aria-valuenow": quarter, "aria-valuetext": `${quarter} %` })}
      className={`progress ${share === null ? "unknown" : ""}`}
    >
      <div className="progress-fill" style={share === null ? {} : { width: `${(share * 100).toFixed(1)}%` }} />
    </div>
  );
}

/** Nothing for the first 0.3 s, so that fast work does not flicker. */
export function useDelayed(on: boolean, delayMs = 300): boolean {
  const [shown, setShown] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    if (on) timer.current = setTimeout(() => setShown(true), delayMs);
    else setShown(false);
    return () => {
      if (timer.current !== null) clearTimeout(timer.current);
    };
  }, [on, delayMs]);
  return on && shown;
}
