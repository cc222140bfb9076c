import { EmptyState } from "../ui/empty-state.tsx";

export function RunsTab() {
  return <EmptyState title="No runs yet." />;
}
