/** The menu bar. Commands are the page's own: the menu only names them. */
import type { MenuItemConstructorOptions } from "electron";

/** @param send gives a command of renderer/commands to the page. */
export function menuTemplate(platform: NodeJS.Platform, send: (command: string) => void): MenuItemConstructorOptions[] {
  const isMac = platform === "darwin";
  // Keys are the page's: registering them here too would run a command twice. They are shown, not bound.
  const command = (label: string, id: string, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    id,
    click: () => send(id),
    ...(accelerator === undefined ? {} : { accelerator, registerAccelerator: false }),
  });
  const separator: MenuItemConstructorOptions = { type: "separator" };
  const settings = command("Settings…", "app.settings", "CmdOrCtrl+,");
  return [
    ...(isMac
      ? [
          {
            label: "Parallax",
            submenu: [
              { role: "about" },
              separator,
              settings,
              separator,
              { role: "hide" },
              { role: "hideOthers" },
              { role: "unhide" },
              separator,
              { role: "quit" },
            ],
          } satisfies MenuItemConstructorOptions,
        ]
      : []),
    {
      label: "File",
      submenu: [
        command("New notebook", "notebook.new", "CmdOrCtrl+N"),
        command("Open…", "notebook.open", "CmdOrCtrl+O"),
        separator,
        command("Save", "notebook.save", "CmdOrCtrl+S"),
        command("Save as…", "notebook.save-as", "CmdOrCtrl+Shift+S"),
        separator,
        ...(isMac ? [] : [settings, separator]),
        isMac ? { role: "close" } : { role: "quit" },
      ],
    },
    {
      label: "Edit",
      submenu: [
        { role: "undo" },
        { role: "redo" },
        separator,
        { role: "cut" },
        { role: "copy" },
        { role: "paste" },
        { role: "selectAll" },
      ],
    },
    {
      label: "Notebook",
      submenu: [
        command("Run all cells", "notebook.run-all"),
        command("Run stale cells", "notebook.run-stale"),
        command("Clear all outputs", "notebook.clear-outputs"),
        separator,
        command("Interrupt kernel", "kernel.interrupt"),
        command("Restart kernel", "kernel.restart"),
        command("Restart and run all", "kernel.restart-run-all"),
        command("Shut down kernel", "kernel.shutdown"),
      ],
    },
    {
      label: "View",
      submenu: [
        command("Start page", "view.start"),
        command("Notebook", "view.notebook"),
        command("Runs", "view.runs"),
        command("Variables", "view.variables", "CmdOrCtrl+J"),
        command("All commands…", "app.palette", "CmdOrCtrl+K"),
        separator,
        { role: "resetZoom" },
        { role: "zoomIn" },
        { role: "zoomOut" },
        { role: "togglefullscreen" },
      ],
    },
    { role: "windowMenu" },
    { role: "help", submenu: [command("Keys", "app.help")] },
  ];
}
