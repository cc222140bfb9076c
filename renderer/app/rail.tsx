import { findCommand, runCommand } from "../commands/table.ts";
import { useApp, useSelect } from "../state/hooks.ts";
import { activeTab } from "../state/selectors.ts";
import { Icon, type IconName } from "../ui/icon.tsx";
import { keyText } from "../ui/kbd.tsx";

const SCREENS: { id: string; name: string; icon: IconName; kinds: string[] }[] = [
  { id: "view.notebook", name: "Notebook", icon: "notebook", kinds: ["notebook", "start"] },
  { id: "view.encoders", name: "Encoders", icon: "encoders", kinds: ["encoders"] },
  { id: "view.runs", name: "Runs", icon: "runs", kinds: ["runs"] },
];

/** The screens that exist. */
export function Rail() {
  const app = useApp();
  const hidden = useSelect((state) => state.railHidden);
  const tab = useSelect(activeTab);
  if (hidden) return null;
  const button = (id: string, name: string, icon: IconName, current: boolean) => {
    const keys = findCommand(id).keys[0];
    return (
      <button
        key={id}
        type="button"
        className="rail-button"
        title={`${name}${keys ? ` (${keyText(keys)})` : ""}`}
        {...(current ? { "aria-current": "page" as const } : {})}
        onClick={() => runCommand(app, id)}
      >
        <Icon name={icon} size={18} />
        <span>{name}</span>
      </button>
    );
  };
  return (
    <nav className="rail" aria-label="Screens" data-region="rail" tabIndex={-1}>
      {SCREENS.map((screen) => button(screen.id, screen.name, screen.icon, screen.kinds.includes(tab.kind)))}
      <span className="spring" />
      {button("app.settings", "Settings", "settings", false)}
    </nav>
  );
}
