import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { root } from "./api/base";
import { ApiError } from "./api/errors";
import { router } from "./router";
import { applyTheme } from "./shell/theme";
import "./styles/base.css";
import "./styles/kit.css";
import "./styles/shell.css";
import "./styles/clients.css";

applyTheme();
// It is named relative to the first page, whose address changes as one goes on.
document.querySelector("link[rel=icon]")?.setAttribute("href", new URL("favicon.svg", root).href);

/** What is shown is kept true by events; asking again is for what no event names. */
const STALE_MS = 30_000;
const RETRIES = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      refetchOnWindowFocus: false,
      // Only a server that did not answer is asked again; a refusal stays one.
      retry: (count, error) =>
        count < RETRIES && error instanceof ApiError && (error.status === 0 || error.status === 503),
    },
  },
});

const element = document.getElementById("root");
if (element) {
  createRoot(element).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
