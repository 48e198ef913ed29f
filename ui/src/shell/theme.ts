import { remember, remembered } from "../kit/storage";

export type Theme = "system" | "light" | "dark";

export function theme(): Theme {
  return remembered<Theme>("theme", "system");
}

export function setTheme(to: Theme): void {
  remember("theme", to);
  applyTheme(to);
}

export function applyTheme(to: Theme = theme()): void {
  if (to === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = to;
}
