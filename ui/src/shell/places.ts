import {
  Activity,
  Boxes,
  Cable,
  CalendarClock,
  CirclePlus,
  KeyRound,
  LibraryBig,
  type LucideIcon,
  MonitorSmartphone,
  ScrollText,
  Terminal,
  Users,
  Vault,
} from "lucide-react";
import type { Permission } from "../api/me";
import { t } from "../texts/en";

export interface Place {
  to: string;
  name: string;
  icon: LucideIcon;
  /** Pressed after `g`. */
  key: string;
  /** One of these is needed. */
  needs?: readonly Permission[];
}

/** Where one can go, in groups. What somebody may not see is not offered. */
export const places: { name: string; places: Place[] }[] = [
  {
    name: t.groupMachines,
    places: [
      { to: "/clients", name: t.navClients, icon: MonitorSmartphone, key: "c" },
      { to: "/tunnels", name: t.navTunnels, icon: Cable, key: "t", needs: ["tunnels"] },
      { to: "/commands", name: t.navCommands, icon: Terminal, key: "o", needs: ["commands", "scripts"] },
      { to: "/library", name: t.library, icon: LibraryBig, key: "l", needs: ["commands", "scripts"] },
      { to: "/schedules", name: t.schedules, icon: CalendarClock, key: "h", needs: ["scheduler"] },
      { to: "/groups", name: t.clientGroups, icon: Boxes, key: "p" },
      { to: "/add", name: t.navAdd, icon: CirclePlus, key: "m", needs: ["admin"] },
    ],
  },
  {
    name: t.groupAccess,
    places: [
      { to: "/credentials", name: t.navCredentials, icon: KeyRound, key: "k", needs: ["admin"] },
      { to: "/vault", name: t.vault, icon: Vault, key: "v", needs: ["vault"] },
      { to: "/users", name: t.navUsers, icon: Users, key: "u", needs: ["admin"] },
    ],
  },
  {
    name: t.groupServer,
    places: [
      { to: "/audit", name: t.navAudit, icon: ScrollText, key: "a", needs: ["auditlog"] },
      { to: "/status", name: t.navStatus, icon: Activity, key: "s" },
    ],
  },
];
