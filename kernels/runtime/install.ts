/** First import of a kernel: what must be in place before any other module makes a context. */
import { installAsyncContext } from "./async-context.ts";
import { promiseSettled } from "./cell-run.ts";

installAsyncContext(promiseSettled);
