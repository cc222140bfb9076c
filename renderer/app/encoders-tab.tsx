import { useEffect } from "react";
import { EncodersScreen } from "../features/encoders/encoders-screen.tsx";

export function EncodersTab() {
  useEffect(() => {
    document.title = "Encoders – Parallax";
  }, []);
  return <EncodersScreen />;
}
