/**
 * The metrics of a run as TensorBoard reads them: tensorboard/events.out.tfevents.<seconds>.parallax. The file is another
 * form of metrics.jsonl: it is made anew from its lines when a run goes on, so no step is in it twice, and its times are
 * those of training, not of the clock.
 *
 * A record (TensorFlow, core/lib/io/record_writer.h) is
 *   uint64 length, uint32 masked crc of the length, the bytes, uint32 masked crc of the bytes     (little-endian)
 * and holds an Event (core/util/event.proto): wall_time 1, step 2, file_version 3, summary 5; a Summary
 * (core/framework/summary.proto) has values 1 of tag 1 and simple_value 2.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { RunConfig, RunMetric } from "../protocol/run-files.ts";

export const TENSORBOARD_FOLDER = "tensorboard";

/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, as RFC 3720 appendix B.4 has it. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255]!;
  return ~crc >>> 0;
}

/** Records keep a checksum turned by 15 bits and shifted, so that a checksum over checksums stays one. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record of an events file. */
export function record(data: Uint8Array): Uint8Array {
  const whole = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(whole.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(whole.subarray(0, 8)), true);
  whole.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return whole;
}

const utf8 = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

const field = (number: number, wire: 0 | 1 | 2 | 5, ...rest: readonly number[]): number[] => [
  ...varint(number * 8 + wire),
  ...rest,
];
const bytesField = (number: number, bytes: ArrayLike<number>): number[] =>
  field(number, 2, ...varint(bytes.length), ...Array.from(bytes));
const double = (value: number): Uint8Array => new Uint8Array(Float64Array.of(value).buffer);
const float = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

/** @param wallTime seconds since 1970. */
function event(wallTime: number, ...rest: number[][]): Uint8Array {
  return record(Uint8Array.from([...field(1, 1, ...double(wallTime)), ...rest.flat()]));
}

function scalars(wallTime: number, step: number, values: Readonly<Record<string, number>>): Uint8Array {
  const summary = Object.entries(values).flatMap(([tag, value]) =>
    bytesField(1, [...bytesField(1, utf8.encode(tag)), ...field(2, 5, ...float(value))]),
  );
  return event(wallTime, field(2, 0, ...varint(step)), bytesField(5, summary));
}

/** What stands in an events file for each line of metrics.jsonl. */
class Events {
  readonly #begin: number;
  #elapsedMs = 0;

  constructor(config: Pick<RunConfig, "createdAt">) {
    this.#begin = Date.parse(config.createdAt);
  }

  head(): Uint8Array {
    return event(this.#begin / 1000, bytesField(3, utf8.encode("brain.Event:2")));
  }

  of(metric: RunMetric): Uint8Array {
    if (metric.kind === "step") this.#elapsedMs = metric.elapsedMs;
    const wallTime = (this.#begin + this.#elapsedMs) / 1000;
    if (metric.kind === "step") {
      const { step, epoch, loss, learningRate, gradNorm } = metric;
      return scalars(wallTime, step, {
        "train/loss": loss,
        "train/learning_rate": learningRate,
        "train/gradient_norm": gradNorm,
        "train/epoch": epoch,
      });
    }
    const { step, task, metric: name, score, low, high } = metric;
    const tag = `eval/${task}/${name}`;
    return scalars(wallTime, step, { [tag]: score, [`${tag}/low`]: low, [`${tag}/high`]: high });
  }
}

/** The whole events file of these metrics. */
export function eventsFile(config: Pick<RunConfig, "createdAt">, metrics: readonly RunMetric[]): Uint8Array[] {
  const events = new Events(config);
  return [events.head(), ...metrics.map((metric) => events.of(metric))];
}

export class TensorBoardWriter {
  readonly #events: Events;
  readonly #onTrouble: (error: unknown) => void;
  #fd: number | null = null;

  /**
   * Write the events of these metrics and wait for more. Nothing throws: training goes on without this file.
   * @param onTrouble told once when the file cannot be written; it is given up until the run goes on the next time.
   */
  constructor(
    folder: string,
    config: Pick<RunConfig, "createdAt">,
    history: readonly RunMetric[],
    onTrouble: (error: unknown) => void,
  ) {
    this.#events = new Events(config);
    this.#onTrouble = onTrouble;
    const seconds = Math.floor(Date.parse(config.createdAt) / 1000);
    const file = path.join(folder, TENSORBOARD_FOLDER, `events.out.tfevents.${seconds}.parallax`);
    this.#try(() => {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileAtomically(file, [this.#events.head(), ...history.map((metric) => this.#events.of(metric))]);
      this.#fd = openSync(file, "a");
    });
  }

  append(metric: RunMetric): void {
    const fd = this.#fd;
    if (fd === null) return;
    const bytes = this.#events.of(metric);
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    });
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.close();
      this.#onTrouble(error);
    }
  }
}
