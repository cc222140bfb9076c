/** What compiled TypeScript calls for decorators and `using`: the rules of TypeScript's legacy decorators and of TC39. */

type Decorator = (...values: unknown[]) => unknown;

export const babelHelpers = {
  decorate(decorators: Decorator[], target: object, key?: string, descriptor?: PropertyDescriptor | null): unknown {
    if (key === undefined) return decorators.reduceRight((made: unknown, one) => one(made) ?? made, target);
    const start = descriptor === null ? Object.getOwnPropertyDescriptor(target, key) : descriptor;
    const made = decorators.reduceRight(
      (current, one) => (one(target, key, current) as PropertyDescriptor | undefined) ?? current,
      start,
    );
    if (made !== undefined) Object.defineProperty(target, key, made);
    return made;
  },
  decorateParam(index: number, decorator: Decorator): Decorator {
    return (target, key) => decorator(target, key, index);
  },
  decorateMetadata(): Decorator {
    return () => undefined;
  },
  usingCtx() {
    const resources: { value: unknown; dispose: (() => unknown) | undefined; wait: boolean }[] = [];
    const none = Symbol("none");
    let failure: unknown = none;
    const use = (value: unknown, wait: boolean): unknown => {
      if (value === null || value === undefined) {
        if (wait) resources.push({ value, dispose: undefined, wait });
        return value;
      }
      const symbols = [wait ? Symbol.for("Symbol.asyncDispose") : undefined, Symbol.for("Symbol.dispose")];
      const known = Symbol as unknown as { asyncDispose?: symbol; dispose?: symbol };
      if (wait && known.asyncDispose) symbols.unshift(known.asyncDispose);
      if (known.dispose) symbols.push(known.dispose);
      const key = symbols.find((symbol) => symbol && (value as Record<symbol, unknown>)[symbol]);
      const dispose = key && (value as Record<symbol, unknown>)[key];
      if (typeof dispose !== "function") throw new TypeError("`using` needs a value that can be disposed.");
      resources.push({ value, dispose: () => dispose.call(value), wait });
      return value;
    };
    const fail = (error: unknown): void => {
      failure =
        failure === none ? error : Object.assign(new Error("Disposing failed too"), { error, suppressed: failure });
    };
    return {
      set e(error: unknown) {
        failure = error;
      },
      u: (value: unknown) => use(value, false),
      a: (value: unknown) => use(value, true),
      d(): unknown {
        const asynchronous = resources.some((resource) => resource.wait);
        const end = (): void => {
          if (failure !== none) throw failure;
        };
        if (!asynchronous) {
          for (const { dispose } of resources.reverse()) {
            try {
              dispose?.();
            } catch (error) {
              fail(error);
            }
          }
          return end();
        }
        return (async () => {
          for (const { dispose, wait } of resources.reverse()) {
            try {
              const made = dispose?.();
              if (wait) await made;
            } catch (error) {
              fail(error);
            }
          }
          end();
        })();
      },
    };
  },
};
