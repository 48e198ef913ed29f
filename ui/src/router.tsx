import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { CircleAlert, Compass } from "lucide-react";
import { basePath } from "./api/base";
import { Button } from "./kit/button";
import { Loading, State } from "./kit/states";
import { Toasts } from "./kit/toast";
import { LoginPage } from "./screens/login/Login";
import { Shell } from "./shell/Shell";
import { useSession } from "./shell/session";
import { t } from "./texts/en";

function Root() {
  return (
    <>
      <Outlet />
      <Toasts />
    </>
  );
}

/** Everything behind the login. The address stays, so that a login ends where it was asked for. */
function Inside() {
  const { token, ready } = useSession();
  if (!ready) return null;
  return token ? <Shell /> : <LoginPage />;
}

function NotFound() {
  return (
    <div className="page">
      <State icon={<Compass className="mark" aria-hidden />} title={t.notFound}>
        {t.notFoundDetail}
      </State>
    </div>
  );
}

function Crashed() {
  return (
    <div className="page">
      <State
        icon={<CircleAlert className="mark" aria-hidden />}
        title={t.crashed}
        actions={<Button onPress={() => location.reload()}>{t.reload}</Button>}
      >
        {t.crashedDetail}
      </State>
    </div>
  );
}

const rootRoute = createRootRoute({ component: Root, notFoundComponent: NotFound });
const inside = createRoute({ getParentRoute: () => rootRoute, id: "inside", component: Inside });
const to = <P extends string>(path: P, component: Parameters<typeof createRoute>[0]["component"]) =>
  createRoute({ getParentRoute: () => inside, path, component: component as never });

const callback = createRoute({
  getParentRoute: () => rootRoute,
  path: "/auth/callback",
  component: lazyRouteComponent(() => import("./screens/login/Callback"), "Callback"),
});
const index = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/clients" });
  },
});
const clients = createRoute({
  getParentRoute: () => inside,
  path: "/clients",
  validateSearch: (search: Record<string, unknown>): Record<string, string> => {
    const entries = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
    return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
  },
  component: lazyRouteComponent(() => import("./screens/clients/Clients"), "Clients"),
});
const client = createRoute({
  getParentRoute: () => inside,
  path: "/clients/$clientId",
  component: lazyRouteComponent(() => import("./screens/client/Client"), "Client"),
});
const clientTab = createRoute({
  getParentRoute: () => inside,
  path: "/clients/$clientId/$tab",
  component: lazyRouteComponent(() => import("./screens/client/Client"), "Client"),
});

const tree = rootRoute.addChildren([
  callback,
  inside.addChildren([
    index,
    clients,
    client,
    clientTab,
    to(
      "/library",
      lazyRouteComponent(() => import("./screens/library/Library"), "Library"),
    ),
    to(
      "/schedules",
      lazyRouteComponent(() => import("./screens/schedules/Schedules"), "Schedules"),
    ),
    to(
      "/schedules/$scheduleId",
      lazyRouteComponent(() => import("./screens/schedules/Schedule"), "Schedule"),
    ),
    to(
      "/groups",
      lazyRouteComponent(() => import("./screens/groups/Groups"), "Groups"),
    ),
    to(
      "/vault",
      lazyRouteComponent(() => import("./screens/vault/Vault"), "Vault"),
    ),
    to(
      "/commands",
      lazyRouteComponent(() => import("./screens/jobs/Commands"), "Commands"),
    ),
    to(
      "/commands/$jobId",
      lazyRouteComponent(() => import("./screens/jobs/MultiJob"), "MultiJob"),
    ),
    to(
      "/tunnels",
      lazyRouteComponent(() => import("./screens/tunnels/Tunnels"), "Tunnels"),
    ),
    to(
      "/add",
      lazyRouteComponent(() => import("./screens/add/AddMachine"), "AddMachine"),
    ),
    to(
      "/credentials",
      lazyRouteComponent(() => import("./screens/credentials/Credentials"), "Credentials"),
    ),
    to(
      "/users",
      lazyRouteComponent(() => import("./screens/users/Users"), "Users"),
    ),
    to(
      "/audit",
      lazyRouteComponent(() => import("./screens/audit/Audit"), "Audit"),
    ),
    to(
      "/status",
      lazyRouteComponent(() => import("./screens/status/Status"), "Status"),
    ),
    to(
      "/account",
      lazyRouteComponent(() => import("./screens/account/Account"), "Account"),
    ),
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  basepath: basePath,
  defaultPreload: "intent",
  defaultPendingComponent: () => (
    <div className="page">
      <Loading />
    </div>
  ),
  defaultErrorComponent: Crashed,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
