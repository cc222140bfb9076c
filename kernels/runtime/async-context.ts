/**
 * An AsyncLocalStorage that survives a terminated execution.
 *
 * Node's own (before Node 24) keeps a stack of async ids, pushed and popped around every promise callback. When an
 * interrupt ends JavaScript in the middle of one, the pop never comes, and Node aborts the process at the next turn of
 * its loop ("Assertion failed: (env_->execution_async_id()) == (0)"), taking all variables along. So a kernel replaces
 * the class by this one, which rides on V8's promise hooks and on wrapped timers and can simply be reset.
 *
 * Followed: promises and awaits, setTimeout, setInterval, setImmediate, queueMicrotask, process.nextTick. Not followed:
 * callbacks of event emitters and of callback-style I/O; there the storage is empty, as it is outside of any cell.
 */
import asyncHooks from "node:async_hooks";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import { promiseHooks } from "node:v8";

type Frame = ReadonlyMap<object, unknown>;

let current: Frame | undefined;
/** Frames to return to, one for each promise callback that is running. */
const entered: (Frame | undefined)[] = [];
/** In which frame an error left a callback: the frame is gone when Node reports it. */
const thrownIn = new WeakMap<object, Frame>();

class Itself {
  constructor(promise: object) {
    // biome-ignore lint/correctness/noConstructorReturn: the subclass puts its private field on this very promise.
    return promise;
  }
}

/** A private field on foreign promises: invisible to inspect, and much faster than a WeakMap. */
class Stamped extends Itself {
  #frame: Frame;
  constructor(promise: object, frame: Frame) {
    super(promise);
    this.#frame = frame;
  }
  static frame(promise: object): Frame | undefined {
    return #frame in promise ? (promise as Stamped).#frame : undefined;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: any function may be a callback.
type Callback = (...values: any[]) => unknown;

function within<T>(frame: Frame | undefined, work: () => T): T {
  const before = current;
  current = frame;
  try {
    return work();
  } catch (error) {
    if (frame !== undefined && typeof error === "object" && error !== null && !thrownIn.has(error))
      thrownIn.set(error, frame);
    throw error;
  } finally {
    current = before;
  }
}

function bind<F extends Callback>(callback: F): F {
  const frame = current;
  if (frame === undefined || typeof callback !== "function") return callback;
  return function (this: unknown, ...values: unknown[]) {
    return within(frame, () => callback.apply(this, values));
  } as F;
}

/** The part of Node's AsyncLocalStorage that libraries use. */
class ResettableStorage<T> {
  static bind<F extends Callback>(callback: F): F {
    return bind(callback);
  }
  static snapshot(): <R>(work: (...values: unknown[]) => R, ...values: unknown[]) => R {
    const frame = current;
    return (work, ...values) => within(frame, () => work(...values));
  }
  getStore(): T | undefined {
    return current?.get(this) as T | undefined;
  }
  run<R>(store: T, work: (...values: unknown[]) => R, ...values: unknown[]): R {
    return within(new Map(current).set(this, store), () => work(...values));
  }
  exit<R>(work: (...values: unknown[]) => R, ...values: unknown[]): R {
    const frame = new Map(current);
    frame.delete(this);
    return within(frame, () => work(...values));
  }
  enterWith(store: T): void {
    current = new Map(current).set(this, store);
  }
  disable(): void {
    const frame = new Map(current);
    frame.delete(this);
    current = frame;
  }
}

/**
 * Replaces AsyncLocalStorage in this process. Once, before anything makes one.
 * @param settled  told of every promise that settles: the one hook is shared
 */
export function installAsyncContext(settled: (promise: object) => void): void {
  promiseHooks.createHook({
    init(promise) {
      if (current !== undefined) new Stamped(promise, current);
    },
    before(promise) {
      entered.push(current);
      current = Stamped.frame(promise);
    },
    after() {
      current = entered.pop();
    },
    settled,
  });
  // From Node 22 on it is a getter, which can be defined anew but not assigned.
  Object.defineProperty(asyncHooks, "AsyncLocalStorage", {
    value: ResettableStorage,
    configurable: true,
    enumerable: true,
  });
  const scheduler = timers as unknown as Record<string, Callback>;
  const everywhere = globalThis as unknown as Record<string, Callback>;
  for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
    const schedule = scheduler[name]!;
    const bound = (callback: Callback, ...rest: unknown[]): unknown => schedule(bind(callback), ...rest);
    // util.promisify(setTimeout) looks for a symbol on the function.
    Object.defineProperties(bound, Object.getOwnPropertyDescriptors(schedule));
    scheduler[name] = bound;
    everywhere[name] = bound;
  }
  const { nextTick } = process;
  process.nextTick = (callback: Callback, ...rest: unknown[]) => nextTick(bind(callback), ...rest);
  const enqueue = queueMicrotask;
  globalThis.queueMicrotask = (callback) => enqueue(bind(callback));
  syncBuiltinESMExports();
}

/** Forgets where execution stood: after an execution was terminated and its frames never returned. */
export function resetAsyncContext(): void {
  entered.length = 0;
  current = undefined;
}

/** What `storage` held where `promise` was made, or where `error` left a callback. For unhandled rejections and errors. */
export function storeAtFailure<T>(storage: object, error: unknown, promise?: object): T | undefined {
  const frame =
    (promise === undefined ? undefined : Stamped.frame(promise)) ??
    (typeof error === "object" && error !== null ? thrownIn.get(error) : undefined);
  return frame?.get(storage) as T | undefined;
}
