/** What the page may do, as headers: the same under `serve` and in the window. */

/**
 * The script inside the frames of HTML outputs (renderer/features/outputs/frame-script.ts), which inherit this policy.
 * A test compares the two.
 */
export const FRAME_SCRIPT_HASH = "sha256-hx+10ZGwY5Q57PD+7UGPIJ4uVwdUgMSBJx1TeJnjBgc=";

/**
 * @param connect addresses that the page may connect to beside its own origin.
 * Styles may be inline: the editor and the plots set them. Workers come from our files or, inside the editor, from blobs.
 */
export function contentSecurityPolicy(connect: readonly string[]): string {
  return [
    "default-src 'none'",
    `script-src 'self' '${FRAME_SCRIPT_HASH}'`,
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src data:",
    `connect-src ${["'self'", ...connect].join(" ")}`,
    "frame-src 'self'",
    "frame-ancestors 'none'",
    "form-action 'none'",
    "base-uri 'none'",
    "object-src 'none'",
  ].join("; ");
}

/** Headers of every answer. */
export function securityHeaders(connect: readonly string[] = []): Record<string, string> {
  return {
    "Content-Security-Policy": contentSecurityPolicy(connect),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=()",
  };
}
