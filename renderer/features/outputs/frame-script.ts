/** The one script that may run in a frame of a notebook's HTML: it reports the height and stops links and forms. */

/** Runs inside the frame. A change here needs a new FRAME_SCRIPT_HASH (test/renderer/outputs/html-frame.test.ts). */
export const FRAME_SCRIPT = `(()=>{const say=()=>parent.postMessage({parallaxFrameHeight:Math.ceil(document.documentElement.getBoundingClientRect().height)},"*");new ResizeObserver(say).observe(document.documentElement);addEventListener("load",say);addEventListener("click",(e)=>{const a=e.target&&e.target.closest&&e.target.closest("a,area");if(a){const h=a.getAttribute("href")||"";if(h[0]!=="#")e.preventDefault()}},true);addEventListener("submit",(e)=>e.preventDefault(),true);say()})()`;
/** The page's own policy must list it too (script-src), because a srcdoc frame inherits that policy. */
export const FRAME_SCRIPT_HASH = "sha256-hx+10ZGwY5Q57PD+7UGPIJ4uVwdUgMSBJx1TeJnjBgc=";
