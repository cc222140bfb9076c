/** The public module "parallax": what cells, scripts and the command line import. One file per noun. */
export { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";
export { CancelledError, ParallaxError } from "../protocol/errors.ts";
export { clearOutput, type DisplayHandle, display, html, markdown } from "./display.ts";
