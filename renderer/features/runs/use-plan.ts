/** What the New run form asks the host while it is filled in: the head of the file, and what the run would take. */
import { useContext, useEffect, useState } from "react";
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { DataPreview, RunPlan, RunRequest } from "../../../kernels/protocol/run-plans.ts";
import { AppContext } from "../../state/hooks.ts";

const PAUSE_MS = 350;

export interface Asked<T> {
  busy: boolean;
  value: T | null;
  error: ErrorData | null;
}

const NOTHING = { busy: false, value: null, error: null };

export function usePreview(file: string): Asked<DataPreview> {
  return useAsked("runs.preview", file.trim() === "" ? null : { file: file.trim() });
}

/** Null: the form is not whole yet. */
export function usePlan(request: RunRequest | null): Asked<RunPlan> {
  return useAsked("runs.plan", request);
}

/** Asks once the typing has paused; a new question ends the old one. The last answer stays while the next is worked out. */
function useAsked<T>(method: "runs.preview" | "runs.plan", params: { file: string } | RunRequest | null): Asked<T> {
  const app = useContext(AppContext);
  const [asked, setAsked] = useState<Asked<T>>(NOTHING);
  const key = params === null ? null : JSON.stringify(params);
  useEffect(() => {
    if (app === null || key === null) {
      setAsked(NOTHING);
      return;
    }
    const abort = new AbortController();
    setAsked((before) => ({ ...before, busy: true, error: null }));
    const timer = setTimeout(() => {
      app.client.call(method, JSON.parse(key), { signal: abort.signal }).then(
        (value) => {
          if (!abort.signal.aborted) setAsked({ busy: false, value: value as T, error: null });
        },
        (reason: unknown) => {
          if (!abort.signal.aborted && !isCancelled(reason))
            setAsked({ busy: false, value: null, error: toErrorData(reason) });
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [app, method, key]);
  return asked;
}
