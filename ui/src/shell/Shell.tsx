import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { ChevronsUpDown, Keyboard, LogOut, Menu as MenuIcon, Monitor, Moon, Sun, UserRound } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Button as AriaButton } from "react-aria-components";
import { root } from "../api/base";
import { events } from "../api/events";
import { keepFresh } from "../api/live";
import { useCan, useMe } from "../api/me";
import { Button } from "../kit/button";
import { Dialog } from "../kit/dialog";
import { Segments } from "../kit/field";
import { MenuPopover, MenuTrigger } from "../kit/menu";
import { SessionOver } from "../screens/login/SessionOver";
import { t } from "../texts/en";
import { type Place, places } from "./places";
import { Shortcuts } from "./Shortcuts";
import { signOut, useKeptAlive } from "./session";
import { setTheme, type Theme, theme } from "./theme";

/** Places of the phone's bar; all others are behind "More". */
const IN_BAR = 3;

export function Shell() {
  const queries = useQueryClient();
  useKeptAlive();
  useEffect(() => keepFresh(queries), [queries]);
  const can = useCan();
  const groups = places
    .map((group) => ({ ...group, places: group.places.filter((place) => !place.needs || place.needs.some(can)) }))
    .filter((group) => group.places.length > 0);

  return (
    <div className="shell">
      <a className="skip" href="#content">
        {t.skip}
      </a>
      <nav className="nav" aria-label={t.navigation}>
        <Link to="/clients" className="brand">
          <img src={new URL("favicon.svg", root).href} alt="" />
          {t.product}
        </Link>
        {groups.map((group) => (
          <div key={group.name}>
            <div className="nav-group">{group.name}</div>
            {group.places.map((place) => (
              <NavLink key={place.to} place={place} className="nav-link" />
            ))}
          </div>
        ))}
        <div className="nav-foot">
          <Live />
          <UserMenu />
        </div>
      </nav>
      <main className="main" id="content" tabIndex={-1}>
        <Outlet />
      </main>
      <PhoneBar places={groups.flatMap((group) => group.places)} />
      <Shortcuts />
      <SessionOver />
    </div>
  );
}

function NavLink({ place, className }: { place: Place; className?: string }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const isHere = path === place.to || path.startsWith(`${place.to}/`);
  const Icon = place.icon;
  return (
    <Link
      to={place.to}
      className={`${className ?? ""}${isHere ? " active" : ""}`}
      {...(isHere ? { "aria-current": "page" } : {})}
    >
      <Icon aria-hidden />
      {place.name}
    </Link>
  );
}

function Live() {
  const state = useSyncExternalStore(events.subscribe, events.get);
  const dot = state === "live" ? "dot ok" : state === "offline" ? "dot bad" : "dot warn";
  return (
    <div className="live" role="status">
      <span className={dot} aria-hidden />
      {t.live[state]}
    </div>
  );
}

function ThemeChoice() {
  const [current, setCurrent] = useState<Theme>(theme());
  return (
    <Segments
      label={t.theme}
      value={current}
      choices={[
        {
          id: "system",
          name: (
            <>
              <Monitor aria-hidden /> {t.themeSystem}
            </>
          ),
        },
        {
          id: "light",
          name: (
            <>
              <Sun aria-hidden /> {t.themeLight}
            </>
          ),
        },
        {
          id: "dark",
          name: (
            <>
              <Moon aria-hidden /> {t.themeDark}
            </>
          ),
        },
      ]}
      onChange={(next) => {
        setCurrent(next);
        setTheme(next);
      }}
    />
  );
}

function initials(name: string): string {
  return name.slice(0, 2).toUpperCase();
}

function UserMenu() {
  const { data: me } = useMe();
  const navigate = useNavigate();
  const [choosing, setChoosing] = useState(false);
  const name = me?.username ?? "";
  return (
    <>
      <MenuTrigger>
        <AriaButton className="nav-user">
          <span className="hidden-visually">{t.navAccount}: </span>
          <span className="avatar" aria-hidden>
            {initials(name)}
          </span>
          <span className="grow clip">{name}</span>
          <ChevronsUpDown aria-hidden />
        </AriaButton>
        <MenuPopover
          label={t.navAccount}
          entries={[
            {
              id: "account",
              name: t.navAccount,
              icon: <UserRound />,
              onAction: () => void navigate({ to: "/account" }),
            },
            { id: "theme", name: `${t.theme}…`, icon: <Moon />, onAction: () => setChoosing(true) },
            {
              id: "keys",
              name: t.shortcuts,
              icon: <Keyboard />,
              onAction: () => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true })),
            },
            { id: "out", name: t.signOut, icon: <LogOut />, onAction: () => void signOut() },
          ]}
        />
      </MenuTrigger>
      {choosing && (
        <Dialog title={t.theme} onClose={() => setChoosing(false)}>
          <ThemeChoice />
        </Dialog>
      )}
    </>
  );
}

function PhoneBar({ places: known }: { places: Place[] }) {
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    if (path) setOpen(false);
  }, [path]);
  return (
    <>
      <nav className="bar" aria-label={t.navigation}>
        {known.slice(0, IN_BAR).map((place) => (
          <NavLink key={place.to} place={place} />
        ))}
        <button type="button" onClick={() => setOpen(true)}>
          <MenuIcon aria-hidden />
          {t.more}
        </button>
      </nav>
      {isOpen && (
        <Dialog title={t.more} onClose={() => setOpen(false)}>
          <div className="sheet-links">
            {known.slice(IN_BAR).map((place) => (
              <NavLink key={place.to} place={place} />
            ))}
            <NavLink place={{ to: "/account", name: t.navAccount, icon: UserRound, key: "" }} />
          </div>
          <ThemeChoice />
          <Button icon={<LogOut />} onPress={() => void signOut()}>
            {t.signOut}
          </Button>
        </Dialog>
      )}
    </>
  );
}
