/**
 * A kernel that understands a handful of commands instead of TypeScript, one a line. It speaks the kernel's protocol over
 * the same channels, so the host cannot tell it apart; the contract tests run both.
 *
 *   print TEXT | err TEXT | value TEXT | fail TEXT | sleep MS | loop | progress N | show ID TEXT | update ID TEXT
 *   define NAME… | use NAME… | clear | clear wait | exit CODE | run FOLDER | stubborn
 *   keychain (prints what the host said last of it)
 */
import { Socket } from "node:net";

const send = (message) => process.send(message);
let count = 0;
let interrupted = false;
let stop = () => undefined;
const queue = [];
let isBusy = false;
const variables = new Map();
let keychain = null;

// A socket, not a file: a file's blocking read would keep the process from ending.
const interrupts = new Socket({ fd: Number(process.env.PARALLAX_INTERRUPT_FD) });
interrupts.on("data", () => {
  interrupted = true;
  stop();
});
interrupts.on("close", () => process.exit(0));

const sleep = (ms) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop = () => {
      clearTimeout(timer);
      resolve();
    };
  });

function namesOf(cellId, code) {
  const words = (verb) =>
    code
      .split("\n")
      .filter((line) => line.startsWith(`${verb} `))
      .flatMap((line) => line.split(" ").slice(1));
  return { cellId, defines: words("define"), uses: words("use") };
}

async function execute({ requestId, cellId, code }) {
  const started = performance.now();
  const executionCount = ++count;
  let status = "ok";
  interrupted = false;
  const isStubborn = /^stubborn/m.test(code);
  send({ type: "busy", requestId });
  for (const line of code.split("\n")) {
    if (interrupted && !isStubborn) break;
    const [, verb, rest] = /^(\S*) ?(.*)$/.exec(line);
    const [id, ...text] = rest.split(" ");
    if (verb === "print") send({ type: "stream", cellId, name: "stdout", text: `${rest}\n` });
    if (verb === "keychain") send({ type: "stream", cellId, name: "stdout", text: `${JSON.stringify(keychain)}\n` });
    if (verb === "err") send({ type: "stream", cellId, name: "stderr", text: `${rest}\n` });
    if (verb === "value") send({ type: "result", cellId, data: { "text/plain": rest }, metadata: {}, executionCount });
    if (verb === "sleep" || verb === "loop") await sleep(verb === "loop" ? 1e9 : Number(rest));
    if (verb === "stubborn") await new Promise((resolve) => setTimeout(resolve, 1e9));
    if (verb === "exit") {
      console.error(`about to end with ${rest}`);
      process.exit(Number(rest));
    }
    if (verb === "define") for (const name of rest.split(" ")) variables.set(name, cellId);
    if (verb === "clear") send({ type: "clear", cellId, wait: rest === "wait" });
    if (verb === "show")
      send({
        type: "display",
        cellId,
        data: { "text/plain": text.join(" ") },
        metadata: {},
        displayId: id,
        update: false,
      });
    if (verb === "update")
      send({
        type: "display",
        cellId,
        data: { "text/plain": text.join(" ") },
        metadata: {},
        displayId: id,
        update: true,
      });
    if (verb === "run") send({ type: "run-started", cellId, folder: rest });
    if (verb === "progress")
      for (let done = 0; done <= Number(rest) && !interrupted; done++) {
        send({
          type: "progress",
          cellId,
          jobId: "job",
          stage: "Encoding",
          done,
          total: Number(rest),
          unit: "texts",
          finished: false,
        });
        await sleep(5);
      }
    if (verb === "fail") {
      status = "error";
      const error = { code: "bug.unexpected", kind: "user", message: rest };
      const frames = [{ cellId, executionCount, line: 1, column: 1 }];
      send({ type: "error", cellId, error: { error, name: "TypeError", frames, libraryFrames: [] } });
      break;
    }
  }
  if (interrupted) status = "interrupted";
  send({
    type: "done",
    requestId,
    cellId,
    status,
    executionCount,
    elapsedMs: performance.now() - started,
    names: namesOf(cellId, code),
  });
  send({ type: "idle", requestId });
}

async function next() {
  if (isBusy) return;
  isBusy = true;
  while (queue.length > 0) await execute(queue.shift());
  isBusy = false;
}

process.on("message", (message) => {
  const { requestId } = message;
  if (message.type === "execute") {
    queue.push(message);
    void next();
  }
  if (message.type === "analyse")
    send({ type: "analysis", requestId, cells: message.cells.map(({ cellId, code }) => namesOf(cellId, code)) });
  if (message.type === "variables")
    send({
      type: "variables",
      requestId,
      variables: [...variables].map(([name, cellId]) => ({ name, type: "number", bytes: 8, preview: "1", cellId })),
    });
  if (message.type === "inspect") send({ type: "inspected", requestId, data: { "text/plain": message.name } });
  if (message.type === "keychain") keychain = message.keychain;
  if (message.type === "shutdown") process.exit(0);
});
process.on("disconnect", () => process.exit(0));
send({ type: "ready", version: 1, pid: process.pid, node: process.version });
send({ type: "stats", memoryBytes: 1e6, sessions: 0, encoders: ["fake"] });
