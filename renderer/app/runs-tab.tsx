import { useEffect } from "react";
import { RunsScreen } from "../features/runs/runs-screen.tsx";

export function RunsTab() {
  useEffect(() => {
    document.title = "Runs – Parallax";
  }, []);
  return <RunsScreen />;
}
