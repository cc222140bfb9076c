/**
 * A map as one self-contained page: hover, click, search, neighbours from the original space. No network, no library;
 * texts travel as JSON and reach the page through textContent only.
 */
import type { MapView } from "../protocol/display.ts";

export function mapHtml(view: MapView, title: string): string {
  // "<" cannot end the script element early, and U+2028/2029 are line ends in older parsers.
  const data = JSON.stringify(view)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
  const safeTitle = title.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${safeTitle}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${safeTitle}</h1><label>Search <input id="search" type="search" placeholder="words in a text" autocomplete="off"></label><span id="count" role="status"></span></header>
<main>
<canvas id="plot" tabindex="0" role="img"></canvas>
<aside>
<section><h2>Selected</h2><p id="text" class="muted">Click a point, or search and press Enter.</p><ol id="near"></ol></section>
<section><h2 id="legend-title"></h2><ul id="legend"></ul></section>
</aside>
</main>
<footer id="notes"></footer>
<script type="application/json" id="data">${data}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--sunken:#f6f7f9;--border:#d9dde4;--text:#1a1d23;--muted:#565d6b;--accent:#0d5bd2}
@media(prefers-color-scheme:dark){:root{--bg:#16181d;--sunken:#101216;--border:#333842;--text:#e8eaee;--muted:#a9b0bd;--accent:#7fb0ff}}
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;background:var(--bg);color:var(--text);font:13px/20px system-ui,sans-serif}
header{display:flex;gap:16px;align-items:center;padding:8px 16px;border-bottom:1px solid var(--border)}
h1{font-size:15px;margin:0;flex:1}h2{font-size:13px;margin:0 0 4px}
input{font:inherit;color:inherit;background:var(--bg);border:1px solid #777f8d;border-radius:4px;height:28px;padding:0 8px;width:220px}
main{flex:1;display:flex;min-height:0}canvas{flex:1;min-width:0;cursor:crosshair}
canvas:focus-visible,input:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
aside{width:320px;border-left:1px solid var(--border);background:var(--sunken);padding:12px 16px;overflow:auto}
section{margin-bottom:16px}ol,ul{margin:4px 0;padding:0;list-style:none}li{padding:2px 0;display:flex;gap:8px}
li b{font-weight:400;font-variant-numeric:tabular-nums;color:var(--muted)}.muted,footer,#count{color:var(--muted)}
footer{padding:6px 16px;border-top:1px solid var(--border);font-size:12px}button{all:unset;cursor:pointer}button:hover{text-decoration:underline}button:focus-visible{outline:2px solid var(--accent)}
i{width:10px;height:10px;border-radius:50%;margin-top:5px;flex:none}`;

const SCRIPT = `
"use strict";
const view = JSON.parse(document.getElementById("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const points = new Float32Array(bytes(view.points)), near = new Int32Array(bytes(view.neighbours)), similar = new Float32Array(bytes(view.similarities));
const dark = matchMedia("(prefers-color-scheme: dark)");
const LIGHT = ["#0D5BD2","#DA7C36","#055649","#9F2392","#379AA1","#4D1F0E","#9A75F7","#826925"], DARK = ["#2F69E3","#F09925","#3EB09B","#AD469D","#95EBFC","#D53B13","#BE9CF2","#E4E960"];
const counts = new Map(); for (const l of view.labels ?? []) counts.set(l, (counts.get(l) ?? 0) + 1);
const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map((e) => e[0]);
const shown = ranked.slice(0, ranked.length <= 8 ? 8 : 7);
const slot = (i) => view.labels ? shown.indexOf(view.labels[i]) : 0;
const colour = (s) => s < 0 ? (dark.matches ? "#99A1AE" : "#646B78") : (dark.matches ? DARK : LIGHT)[s];
const canvas = document.getElementById("plot"), pen = canvas.getContext("2d");
let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
for (let i = 0; i < view.n; i++) { x0 = Math.min(x0, points[2*i]); x1 = Math.max(x1, points[2*i]); y0 = Math.min(y0, points[2*i+1]); y1 = Math.max(y1, points[2*i+1]); }
let zoom = 1, panX = 0, panY = 0, selected = -1, hovered = -1, found = null;
const scale = () => zoom * Math.min(canvas.clientWidth / (x1 - x0 || 1), canvas.clientHeight / (y1 - y0 || 1)) * 0.9;
const place = (i) => [canvas.clientWidth / 2 + panX + (points[2*i] - (x0 + x1) / 2) * scale(), canvas.clientHeight / 2 + panY - (points[2*i+1] - (y0 + y1) / 2) * scale()];
let queued = false;
function draw() { if (!queued) { queued = true; requestAnimationFrame(paint); } }
function paint() {
  queued = false;
  const ratio = devicePixelRatio, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) { canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio); }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0); pen.clearRect(0, 0, w, h);
  const radius = view.n > 5000 ? 1.8 : 3.2, ring = new Set(selected < 0 ? [] : near.subarray(selected * view.k, (selected + 1) * view.k));
  const lit = (i) => found ? found.has(i) : true;
  for (const pass of [0, 1]) for (let i = 0; i < view.n; i++) {
    const on = i === selected || i === hovered || ring.has(i);
    if (on !== (pass === 1)) continue;
    const [x, y] = place(i); if (x < -9 || y < -9 || x > w + 9 || y > h + 9) continue;
    pen.globalAlpha = on ? 1 : lit(i) ? 0.8 : 0.12; pen.fillStyle = colour(slot(i)); pen.beginPath(); pen.arc(x, y, on ? radius + 2 : radius, 0, 7); pen.fill();
    if (i === selected || i === hovered) { pen.strokeStyle = getComputedStyle(document.body).color; pen.lineWidth = 1.5; pen.stroke(); }
  }
  pen.globalAlpha = 1;
  if (hovered >= 0) tip(hovered);
}
function tip(i) {
  const [x, y] = place(i), text = view.texts[i].slice(0, 90); pen.font = "12px system-ui"; const width = pen.measureText(text).width + 12;
  const left = Math.max(4, Math.min(x + 10, canvas.clientWidth - width - 4)), top = y > 40 ? y - 32 : y + 12;
  pen.fillStyle = dark.matches ? "#1E2128" : "#fff"; pen.strokeStyle = "#777F8D"; pen.lineWidth = 1; pen.fillRect(left, top, width, 22); pen.strokeRect(left, top, width, 22);
  pen.fillStyle = getComputedStyle(document.body).color; pen.fillText(text, left + 6, top + 15);
}
function at(event) { const box = canvas.getBoundingClientRect(), ex = event.clientX - box.left, ey = event.clientY - box.top; let best = -1, least = 144; for (let i = 0; i < view.n; i++) { const [x, y] = place(i), d = (x - ex) ** 2 + (y - ey) ** 2; if (d < least) { least = d; best = i; } } return best; }
function select(i) {
  selected = i; const list = document.getElementById("near"); list.replaceChildren(); const text = document.getElementById("text");
  text.textContent = i < 0 ? "Click a point, or search and press Enter." : view.texts[i]; text.className = i < 0 ? "muted" : "";
  if (i >= 0) for (let c = 0; c < view.k; c++) { const j = near[i * view.k + c], item = document.createElement("li"), value = document.createElement("b"), go = document.createElement("button"); value.textContent = similar[i * view.k + c].toFixed(2); go.textContent = view.texts[j]; go.onclick = () => select(j); item.append(value, go); list.append(item); }
  draw();
}
let drag = null;
canvas.onpointerdown = (e) => { drag = { x: e.clientX, y: e.clientY, moved: false }; canvas.setPointerCapture(e.pointerId); };
canvas.onpointermove = (e) => { if (drag) { if (Math.abs(e.clientX - drag.x) + Math.abs(e.clientY - drag.y) > 3) drag.moved = true; if (drag.moved) { panX += e.movementX; panY += e.movementY; } } else hovered = at(e); draw(); };
canvas.onpointerup = (e) => { if (drag && !drag.moved) select(at(e)); drag = null; };
canvas.onpointerleave = () => { hovered = -1; draw(); };
canvas.addEventListener("wheel", (e) => { e.preventDefault(); const f = Math.exp(-e.deltaY / 500), box = canvas.getBoundingClientRect(), cx = e.clientX - box.left - canvas.clientWidth / 2, cy = e.clientY - box.top - canvas.clientHeight / 2; panX = cx - (cx - panX) * f; panY = cy - (cy - panY) * f; zoom *= f; draw(); }, { passive: false });
canvas.onkeydown = (e) => { const step = 40; if (e.key === "ArrowLeft") panX += step; else if (e.key === "ArrowRight") panX -= step; else if (e.key === "ArrowUp") panY += step; else if (e.key === "ArrowDown") panY -= step; else if (e.key === "+") zoom *= 1.25; else if (e.key === "-") zoom /= 1.25; else if (e.key === "0") { zoom = 1; panX = panY = 0; } else if (e.key === "n" && selected >= 0) select(near[selected * view.k]); else if (e.key === "Escape") select(-1); else return; e.preventDefault(); draw(); };
const search = document.getElementById("search"), count = document.getElementById("count");
search.oninput = () => { const words = search.value.trim().toLowerCase(); found = words ? new Set(view.texts.flatMap((t, i) => t.toLowerCase().includes(words) ? [i] : [])) : null; count.textContent = found ? found.size + " of " + view.n : ""; draw(); };
search.onkeydown = (e) => { if (e.key === "Enter" && found && found.size) { const all = [...found]; select(all[(all.indexOf(selected) + 1) % all.length]); } };
const legend = document.getElementById("legend"); document.getElementById("legend-title").textContent = view.labels ? view.labelName : "";
function fill() { legend.replaceChildren(); if (view.labels) for (const [s, name] of [...shown.entries(), ...(ranked.length > shown.length ? [[-1, "other (" + (ranked.length - shown.length) + ")"]] : [])]) { const item = document.createElement("li"), dot = document.createElement("i"); dot.style.background = colour(s); item.append(dot, name + (s >= 0 ? " · " + counts.get(name) : "")); legend.append(item); } }
dark.onchange = () => { fill(); draw(); }; fill();
document.getElementById("notes").textContent = (view.method === "umap" ? "UMAP k " + view.k + " · min. distance " + view.minDist + " · " + view.epochs + " epochs · seed " + view.seed : "PCA") + " · " + view.metric + " in " + view.dimensions + "-d" + (view.encoderName ? " · " + view.encoderName : "") + " · trustworthiness " + view.trustworthiness.toFixed(3) + " (k " + view.trustworthinessK + ", n " + view.trustworthinessN + ") · 2-D distances between far groups carry no meaning" + view.notes.map((n) => " · " + n).join("");
canvas.setAttribute("aria-label", "Map of " + view.n + " texts" + (view.labels ? ", " + ranked.length + " groups" : "") + ". Use the search field and the neighbour list for a way without a mouse.");
new ResizeObserver(draw).observe(canvas); draw();
`;
